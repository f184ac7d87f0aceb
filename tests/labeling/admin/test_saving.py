"""A form saves what it changed, and nothing that a worker wrote meanwhile."""

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin as DjangoModelAdmin
from django.urls import reverse

from labeling.admin.base import ModelAdmin
from labeling.models import Concept, Project

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker_writes(monkeypatch):
    """Let a worker write once, between a form's reading of its row and its saving."""

    def arrange(write) -> None:
        save_form = DjangoModelAdmin.save_form

        def written_meanwhile(self, request, form, change):
            write()
            return save_form(self, request, form, change)

        monkeypatch.setattr(DjangoModelAdmin, "save_form", written_meanwhile)

    return arrange


def form_of(page) -> dict[str, object]:
    """What a browser would send back unchanged."""
    form = page.context["adminform"].form
    return {
        name: "" if form[name].value() is None else form[name].value()
        for name in form.fields
        if form[name].value() is not False
    }


def test_a_project_keeps_what_a_worker_wrote(ada_client, shapes, worker_writes):
    address = reverse("admin:labeling_project_change", args=[shapes.pk])
    body = form_of(ada_client.get(address)) | {"name": "Round and square"}
    worker_writes(lambda: Project.objects.update(aggregated_to=99, features="features/new"))
    assert ada_client.post(address, body).status_code == 302
    shapes.refresh_from_db()
    assert (shapes.name, shapes.aggregated_to) == ("Round and square", 99)
    assert shapes.features.name == "features/new"


def test_a_concept_keeps_what_a_worker_wrote(ada_client, shapes, worker_writes):
    concept = shapes.concepts.first()
    address = reverse("admin:labeling_concept_change", args=[concept.pk])
    body = form_of(ada_client.get(address)) | {"value": "3"}
    worker_writes(lambda: Concept.objects.update(prevalence=0.25))
    assert ada_client.post(address, body).status_code == 302
    concept.refresh_from_db()
    assert (concept.value, concept.prevalence) == (3.0, 0.25)


def test_a_list_of_concepts_keeps_what_a_worker_wrote(ada_client, shapes, worker_writes):
    address = reverse("admin:labeling_concept_changelist")
    rows = ada_client.get(address).context["cl"].formset
    body = {f"{rows.prefix}-TOTAL_FORMS": len(rows.forms), f"{rows.prefix}-INITIAL_FORMS": 2}
    for form in rows.forms:
        body |= {form.add_prefix("id"): form.instance.pk, form.add_prefix("value"): "2.5"}
        body |= {form.add_prefix("active"): "on"}
    worker_writes(lambda: Concept.objects.update(prevalence=0.25))
    assert ada_client.post(address, body | {"_save": "Save"}).status_code == 302
    assert set(Concept.objects.values_list("value", "prevalence", "active")) == {(2.5, 0.25, True)}


def test_a_form_without_a_change_writes_nothing(ada_client, shapes, worker_writes):
    address = reverse("admin:labeling_project_change", args=[shapes.pk])
    body = form_of(ada_client.get(address))
    worker_writes(lambda: Project.objects.update(name="Renamed meanwhile"))
    ada_client.post(address, body)
    shapes.refresh_from_db()
    assert shapes.name == "Renamed meanwhile"


def test_every_admin_of_ours_saves_like_this():
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label in ("labeling", "training"):
            assert isinstance(model_admin, ModelAdmin), model
