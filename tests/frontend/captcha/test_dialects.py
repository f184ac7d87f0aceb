"""The functions and attributes that pages written for reCAPTCHA or hCaptcha use.

The keys are those that always pass; the page allows no script, style or frame but what it must.
"""

import gzip

import pytest
from playwright.sync_api import Page, expect

from labeling.captcha import tokens
from tests.frontend.captcha.shop import Show

RECAPTCHA, HCAPTCHA = (
    "6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI",
    "10000000-ffff-ffff-ffff-000000000001",
)
LARGEST = 10_000  # bytes
RECORD = """
window.said = [];
const hear = name => value => said.push([name, typeof value]);
"""
FIELDS = """() => [...document.querySelectorAll('textarea')]
  .map(({id, name, value}) => [id, name, !!value])"""

pytestmark = pytest.mark.usefixtures("page_changed_for_good")  # by its clock


def box(page: Page, number: int = 0):
    return page.get_by_role("checkbox", name="I am a person").nth(number)


def said(page: Page) -> list[list[str]]:
    return page.evaluate("() => said.splice(0)")


@pytest.mark.parametrize("path", ["recaptcha/api.js", "1/api.js", "captcha/tessera.js"])
def test_a_script_is_small_and_may_be_loaded_from_everywhere(client, path: str) -> None:
    response = client.get(f"/{path}", headers={"accept-encoding": "gzip"})
    assert len(response.content) <= LARGEST and len(gzip.decompress(response.content)) > LARGEST
    assert response["Access-Control-Allow-Origin"] == "*"
    assert not response.cookies


def test_recaptcha_is_drawn_where_its_class_is(
    show: Show, page: Page, complaints: list[str]
) -> None:
    page.clock.install()
    show(
        "recaptcha/api.js?hl=en",
        f"""<form><div class="g-recaptcha" data-sitekey="{RECAPTCHA}" data-callback="app.solved"
          data-expired-callback="expired" data-tabindex="3" data-theme="dark"></div>
        <div class="g-recaptcha" data-sitekey="{RECAPTCHA}" data-size="compact"></div></form>
        <form onsubmit="return false"><button class="g-recaptcha" data-sitekey="{RECAPTCHA}"
          data-callback="submitted">Buy</button></form>""",
        RECORD + "window.app = {solved: hear('solved')};"
        " window.expired = hear('expired'); window.submitted = hear('submitted')",
    )
    expect(box(page)).to_have_attribute("tabindex", "3")
    assert page.evaluate("() => grecaptcha.getResponse() + grecaptcha.getResponse(2)") == ""
    box(page).click()
    expect(box(page)).to_be_checked()
    expect(box(page, 1)).not_to_be_checked()
    expect(page.get_by_text("Only a test: everybody passes.")).to_be_visible()
    assert said(page) == [["solved", "string"]]
    name = "g-recaptcha-response"
    assert page.evaluate(FIELDS) == [
        [name, name, True],
        [f"{name}-1", name, False],
        [f"{name}-2", name, False],
    ]
    page.clock.fast_forward((tokens.RESPONSE_SECONDS - 2) * 1000)
    expect(box(page)).to_be_checked()
    page.clock.fast_forward(2_000)
    expect(box(page)).not_to_be_checked()
    expect(page.get_by_text("This has expired. Please tick it again.")).to_be_visible()
    assert said(page) == [["expired", "undefined"]]
    assert page.evaluate(FIELDS)[0] == [name, name, False]
    box(page).click()
    expect(box(page)).to_be_checked()
    page.evaluate("() => grecaptcha.reset()")
    expect(box(page)).not_to_be_checked()
    said(page)
    page.get_by_role("button", name="Buy").click()
    page.wait_for_function("() => said.length")
    assert said(page) == [["submitted", "string"]]
    assert page.evaluate("() => new FormData(document.forms[1]).get('g-recaptcha-response')")
    assert complaints == []


def test_recaptcha_is_drawn_where_a_page_asks_for_it(
    show: Show, page: Page, complaints: list[str]
) -> None:
    show(
        "recaptcha/enterprise.js?onload=loaded&render=explicit",
        f'<div class="g-recaptcha" data-sitekey="{RECAPTCHA}"></div><div id="own"></div>',
        RECORD
        + f"""
        window.___grecaptcha_cfg = {{fns: [() => said.push('ready')]}};
        window.loaded = () => {{
          const {{render}} = grecaptcha.enterprise;
          const apart = document.createElement('div');
          const params = {{sitekey: '{RECAPTCHA}', theme: undefined, tabindex: NaN}};
          said.push(render('own', {{...params, callback: hear('solved')}}));
          said.push(render(apart, params));
          said.push(render({{sitekey: '{RECAPTCHA}'}}));
          for (const wrong of [() => render('own', params), () => render('nowhere', params),
              () => grecaptcha.getResponse(9)])
            try {{ wrong() }} catch (error) {{ said.push(error.message.split(' ').slice(-1)[0]) }}
          document.querySelector('main').append(apart);
          grecaptcha.ready(() => said.push('later'));
        }}""",
    )
    page.wait_for_function("() => said.includes('later')")
    assert said(page) == ["ready", 0, 1, 2, "element", "id.", "9", "later"]
    expect(page.get_by_role("checkbox")).to_have_count(2)
    box(page, 1).click()
    expect(box(page, 1)).to_be_checked()
    tokens_ = page.evaluate("""async () => [
      await grecaptcha.execute(0), grecaptcha.getResponse(0),
      await grecaptcha.execute(2, {action: 'login'})]""")
    assert all(tokens_) and tokens_[0] == tokens_[1]
    assert said(page) == [["solved", "string"]]
    page.evaluate("""() => {  // the script again, which draws what is not drawn yet
      const script = document.createElement('script');
      const again = trustedTypes.createPolicy('again', {
        createScriptURL: address => address.split('?')[0]});
      script.src = again.createScriptURL([...document.scripts].pop().src);
      document.head.append(script);
    }""")
    expect(page.get_by_role("checkbox")).to_have_count(3)
    assert page.evaluate("() => grecaptcha.getResponse(0) && !grecaptcha.getResponse(3)")
    assert complaints == []


def test_recaptcha_v3_asks_for_a_fresh_response_each_time(
    show: Show, page: Page, complaints: list[str]
) -> None:
    begun: list[dict[str, str]] = []
    page.on("request", lambda r: r.post_data_json and begun.append(r.post_data_json))
    show(
        f"recaptcha/api.js?render={RECAPTCHA}",
        f'<input type="hidden" class="g-recaptcha" data-sitekey="{RECAPTCHA}">',
    )
    page.wait_for_function("() => window.grecaptcha?.execute")
    both = page.evaluate(f"""() => Promise.all([
      grecaptcha.execute('{RECAPTCHA}', {{action: 'login'}}),
      grecaptcha.execute('{RECAPTCHA}', {{}})])""")
    assert all(both)
    assert [each["action"] for each in begun] == ["login", ""]
    expect(page.get_by_role("checkbox")).to_have_count(0)
    assert complaints == []


def test_hcaptcha(show: Show, page: Page, complaints: list[str]) -> None:
    key = f'data-sitekey="{HCAPTCHA}"'
    show(
        "1/api.js?hl=&onload=loaded&sentry=true",
        f"""<form><div class="h-captcha" {key} data-callback="solved"></div>
        <div id="hidden"></div></form>""",
        RECORD + "window.solved = hear('solved'); window.loaded = () => said.push('loaded')",
    )
    box(page).click()
    expect(box(page)).to_be_checked()
    assert said(page) == ["loaded", ["solved", "string"]]
    names = [name for _, name, filled in page.evaluate(FIELDS) if filled]
    assert names == ["h-captcha-response", "g-recaptcha-response"]
    assert page.evaluate("() => grecaptcha === hcaptcha && !!hcaptcha.getResponse()")
    outcome = page.evaluate(f"""async () => {{
      const id = hcaptcha.render('hidden', {{sitekey: '{HCAPTCHA}', size: 'invisible'}});
      const {{response, key}} = await hcaptcha.execute(id, {{async: true}});
      const same = response === hcaptcha.getResponse(id) && key === hcaptcha.getRespKey(id);
      hcaptcha.setData(id, {{rqdata: ''}});
      hcaptcha.reset(id);
      hcaptcha.remove(id);
      const left = document.querySelectorAll('#hidden *').length;
      const code = await hcaptcha.execute(id, {{async: true}}).catch(code => code);
      const box = document.querySelector('.h-captcha');
      const kept = hcaptcha.render(box, {{sitekey: '{HCAPTCHA}'}});
      box.replaceChildren();  // as a page does that draws itself again
      const anew = hcaptcha.render(box, {{sitekey: '{HCAPTCHA}'}});
      return [typeof id, same, left, code, anew !== kept && !hcaptcha.getResponse(anew)];
    }}""")
    assert outcome == ["string", True, 0, "invalid-captcha-id", True]
    expect(box(page)).not_to_be_checked()
    assert complaints == []


def test_the_element_of_its_own_is_a_required_field(
    show: Show, page: Page, complaints: list[str]
) -> None:
    page.clock.install()
    show(
        "captcha/tessera.js",
        f"""<form><tessera-captcha sitekey="{HCAPTCHA}"></tessera-captcha>
        <button>Send</button></form>
        <form><tessera-captcha sitekey="{HCAPTCHA}" size="invisible" name="proof"></tessera-captcha>
        <button>Ask</button></form>""",
        RECORD
        + """for (const name of ['solved', 'expired', 'failed'])
          document.addEventListener(name, ({detail}) => said.push([name, typeof detail.response]));
        document.addEventListener('submit', event => { if (!event.defaultPrevented) {
          event.preventDefault(); said.push([...new FormData(event.target).keys()]); }})""",
    )
    page.get_by_role("button", name="Send").click()
    expect(box(page)).to_be_focused()
    assert said(page) == []
    page.keyboard.press("Space")
    expect(box(page)).to_be_checked()
    page.get_by_role("button", name="Send").click()
    assert said(page) == [["solved", "string"], ["tessera-response"]]
    page.clock.fast_forward(tokens.RESPONSE_SECONDS * 1000)
    expect(box(page)).not_to_be_checked()
    page.get_by_role("button", name="Ask").click()
    page.wait_for_function("() => said.length === 3")
    assert said(page) == [["expired", "undefined"], ["solved", "string"], ["proof"]]
    assert not page.evaluate("() => document.forms[0].checkValidity()")
    assert complaints == []
