"""Sites, the host names on which they may be shown, and their secrets."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.captcha import hosts, sites
from labeling.models import Event, Site, SiteSecret

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(shapes, ada):
    return sites.create(project=shapes, by=ada, name=" The  shop ", hosts=["shop.example.com"])


@pytest.fixture
def site(made):
    return made[0]


def messages(project):
    return [event.message for event in Event.objects.filter(project=project)]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Shop.Example.COM", "shop.example.com"),
        (" https://shop.example.com:8443/cart?a=1#b ", "shop.example.com"),
        ("//user@shop.example.com/", "shop.example.com"),
        ("shop.example.com:80", "shop.example.com"),
        ("shop.example.com.", "shop.example.com"),
        ("*.example.com", "*.example.com"),
        ("https://*.example.com/", "*.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("例え。jp", "xn--r8jz45g.jp"),
        ("localhost:3000", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("http://192.0.2.1:8000/", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("http://[2001:db8::1]:80/", "2001:db8::1"),
    ],
)
def test_a_host_is_stored_as_browsers_name_it(given, stored):
    assert hosts.cleaned([given]) == [stored]


@pytest.mark.parametrize(
    "given",
    [
        *("", " ", "*", "*.com", "*.192.0.2.1", "a.*.example.com", "*example.com", "exa mple.com"),
        *("-a.example.com", "a..example.com", "https://", "exa_mple.com", "a" * 300, "<b>.com"),
        *("example.com\r\nX: y", "a\0b.example", "'none'"),
    ],
)
def test_what_is_no_host_is_refused(given):
    with pytest.raises(hosts.HostError):
        hosts.cleaned([given])


def test_a_host_counts_once_and_there_are_not_too_many():
    assert hosts.cleaned(["a.example", "", "A.example"]) == ["a.example"]
    with pytest.raises(hosts.HostError, match="50"):
        hosts.cleaned([f"a{number}.example" for number in range(51)])


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        *(("example.com", True), ("EXAMPLE.com.", True), ("a.example.net", True)),
        *(("a.b.example.net", True), ("[2001:db8::1]", True), ("localhost", True)),
        *(("a.example.com", False), ("example.net", False), (".example.net", False)),
        *(("badexample.net", False), ("example.com.evil.example", False), ("", False)),
        *((".", False), ("*.example.net", True), ("a" * 300 + ".example.net", False)),
    ],
)
def test_a_site_is_shown_on_its_own_hosts_alone(host, allowed):
    stored = ["example.com", "*.example.net", "2001:db8::1", "localhost"]
    assert sites.allows(Site(hosts=stored), host) is allowed


def test_a_secret_is_returned_once_and_only_its_hash_is_kept(made):
    site, secret = made
    row = site.secrets.get()
    assert site.name == "The shop"
    assert secret.startswith("tessera_site_") and len(secret) > 50
    assert secret not in (row.digest, row.end) and secret.endswith(row.end)
    assert sites.secret_of(secret).site == site


def test_a_site_is_found_by_its_key_unless_it_is_off(site, ada):
    assert sites.find(site.key) == site
    for key in ("", "x", site.key + " ", "a" * 10_000, "a\0", site.key[:-1]):
        assert sites.find(key) is None
    sites.change(site=site, by=ada, active=False)
    assert sites.find(site.key) is None


def test_no_secret_of_a_site_that_is_off_verifies(made, ada):
    site, secret = made
    sites.change(site=site, by=ada, active=False)
    assert sites.secret_of(secret) is None
    sites.change(site=site, by=ada, active=True)
    assert sites.secret_of(secret) is not None


def test_what_is_no_secret_is_not_found(made):
    digest = SiteSecret.objects.get().digest
    for secret in ("", "x", made[1][:-1], made[1] + "x", digest, "\0", "\ud800", "x" * 1_000_000):
        assert sites.secret_of(secret) is None


def test_a_replaced_secret_stays_valid_for_a_day(made, ada):
    site, old = made
    new = sites.rotate_secret(site=site, by=ada)
    assert sites.secret_of(old) and sites.secret_of(new)
    end = sites.secret_of(old).expires_at
    assert timedelta(hours=23) < end - timezone.now() <= timedelta(days=1)
    SiteSecret.objects.filter(expires_at=end).update(expires_at=timezone.now())
    assert sites.secret_of(old) is None
    assert sites.secret_of(new)


def test_a_replaced_secret_can_end_at_once(made, ada):
    site, old = made
    new = sites.rotate_secret(site=site, by=ada, overlap=timedelta(0))
    assert sites.secret_of(old) is None and sites.secret_of(new)
    assert site.secrets.count() == 1


def test_another_rotation_does_not_keep_an_older_secret_longer(made, ada):
    site, first = made
    sites.rotate_secret(site=site, by=ada, overlap=timedelta(hours=1))
    end = sites.secret_of(first).expires_at
    sites.rotate_secret(site=site, by=ada, overlap=timedelta(days=9))
    assert sites.secret_of(first).expires_at == end


def test_the_overlap_has_bounds(site, ada):
    for overlap in (timedelta(seconds=-1), timedelta(days=31)):
        with pytest.raises(sites.SiteError) as error:
            sites.rotate_secret(site=site, by=ada, overlap=overlap)
        assert error.value.field == "overlap"


def test_old_secrets_are_ended_and_the_new_one_stays(made, ada):
    site, old = made
    new = sites.rotate_secret(site=site, by=ada)
    sites.revoke_old_secrets(site=site, by=ada)
    sites.revoke_old_secrets(site=site, by=ada)
    assert sites.secret_of(old) is None and sites.secret_of(new)
    assert sum("Ended the old secrets" in message for message in messages(site.project)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", " "), ("name", "x" * 61), ("name", "a\0b"), ("hosts", [])),
        *(("difficulty", "none"), ("daily_quota", 0), ("daily_quota", 10_000_001)),
        *(("project_id", 1), ("key", "mine")),
    ],
)
def test_wrong_settings_are_refused_by_field(site, ada, field, value):
    with pytest.raises(sites.SiteError) as error:
        sites.change(site=site, by=ada, **{field: value})
    assert error.value.field == field
    site.refresh_from_db()
    assert site.name == "The shop"


def test_a_project_has_not_too_many_sites(site, shapes, ada, monkeypatch):
    monkeypatch.setattr(sites, "MOST", 1)
    with pytest.raises(sites.SiteError, match="at most"):
        sites.create(project=shapes, by=ada, name="another", hosts=["a.example"])


def test_each_change_is_in_the_projects_history(site, shapes, ada):
    sites.change(site=site, by=ada, hosts=["a.example"], difficulty="hard", name="The shop")
    sites.change(site=site, by=ada, hosts=["a.example"])
    sites.change(site=site, by=ada, active=False)
    sites.change(site=site, by=ada, active=True)
    sites.rotate_secret(site=site, by=ada, overlap=timedelta(0))
    assert messages(shapes)[::-1] == [
        "Added the site “The shop”: shop.example.com.",
        "Changed the site “The shop”: host names, difficulty.",
        "Switched off the site “The shop”.",
        "Switched on the site “The shop”.",
        "Replaced the secret of the site “The shop”: the old one ends at once.",
    ]
