"""An order form with Flask-WTF."""

import os

from flask import Flask, render_template_string
from flask_wtf import FlaskForm, RecaptchaField
from wtforms import StringField, SubmitField

PAGE = """<!doctype html>
<html lang="en">
<meta http-equiv="Content-Security-Policy" content="default-src 'self';
 script-src https://captcha.example; frame-src https://captcha.example">
<title>Order</title>
<form method="post">{{ form.name.label }} {{ form.name }} {{ form.captcha }} {{ form.order }}</form>
{% for error in form.captcha.errors %}<p>Refused: {{ error }}</p>{% endfor %}
</html>"""

app = Flask(__name__)
app.config.update(
    SECRET_KEY=os.urandom(16),
    WTF_CSRF_ENABLED=False,  # so that a form can be sent twice
    RECAPTCHA_PUBLIC_KEY=os.environ["SITE_KEY"],
    RECAPTCHA_PRIVATE_KEY=os.environ["SECRET"],
    RECAPTCHA_SCRIPT="https://captcha.example/recaptcha/api.js",
    RECAPTCHA_VERIFY_SERVER="https://captcha.example/recaptcha/api/siteverify",
)


class OrderForm(FlaskForm):
    name = StringField("Name")
    captcha = RecaptchaField()
    order = SubmitField("Order")


@app.route("/", methods=["GET", "POST"])
def order() -> str:
    form = OrderForm()
    if form.validate_on_submit():
        return "Thank you for your order."
    return render_template_string(PAGE, form=form)


app.run(port=int(os.environ["PORT"]))
