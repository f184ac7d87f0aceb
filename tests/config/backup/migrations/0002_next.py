"""What a later version might add."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0001_initial")]
    operations = [
        migrations.AddField(
            "project", "colour", models.CharField(max_length=20, default="as it was")
        )
    ]
