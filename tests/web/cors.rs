//! Pages of other sites in a real browser: what they can do with a hub that names their site, and with another one.

use crate::browser::{addresses, hub};
use crate::devtools::Browser;
use crate::support::*;
use serde_json::json;

/// What a page of another site does with the hub at `http`: it imports the library, connects and publishes with it, and
/// asks over HTTP, with a header for which the browser has to ask beforehand. The value is what came of each step.
fn script(http: &str) -> String {
    let ws = http.replace("http://", "ws://");
    format!(
        "(async () => {{
            const outcome = async (step) => {{ try {{ return await step(); }} catch (error) {{ return error.name; }} }};
            const ask = (path, options) => outcome(async () => (await fetch('{http}' + path, options)).status);
            return {{
                library: await outcome(async () => {{
                    const {{ connect }} = await import('{http}/cubby.js');
                    const hub = await connect('{ws}/ws', {{ name: 'ann' }});
                    await hub.join('lobby');
                    hub.close();
                    return 'joined';
                }}),
                post: await ask('/rooms/den', {{ method: 'POST', body: 'hi', headers: {{ 'X-Own': '1' }} }}),
                plain: await ask('/rooms/den', {{ method: 'POST', body: 'hi' }}),
                refusal: await ask('/nowhere'),
            }};
        }})()"
    )
}

#[test]
fn a_page_of_a_named_site_can_use_a_hub_and_that_of_another_changes_nothing() {
    // A response of another hub that is no page of its own, and so has no policy of its own.
    let site = hub();
    let (_, origin) = addresses(&site);
    let browser = Browser::start();
    let page = browser.open(&format!("{origin}/health"), 600, 400);

    let named = Daemon::with(&["--listen", "127.0.0.1:0", "--ws", "127.0.0.1:0", "--origin", &origin]);
    let outcome = page.evaluate(&script(&named.addresses[1]));
    assert_eq!(outcome, json!({"library": "joined", "post": 200, "plain": 200, "refusal": 404}));

    let other = hub();
    let mut member = Raw::connect(&other.addresses[0]);
    member.join("den");
    let outcome = page.evaluate(&script(&other.addresses[1]));
    let refused = json!({"library": "TypeError", "post": "TypeError", "plain": "TypeError", "refusal": "TypeError"});
    assert_eq!(outcome, refused);
    let events = member.ask(HISTORY, 0, 1, history("den", 1, 10));
    assert_eq!((events.kind, &events.payload[8..16]), (0x8A, &1_u64.to_be_bytes()[..]), "nobody has said anything");
}
