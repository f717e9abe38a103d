//! Answers of the services, as a client of each reads them.

pub mod apiges;
pub mod fiscal;
pub mod geosite;
pub mod legale;
pub mod sugester;

use integration_core::body::page::Pages;
use integration_core::{Error, ErrorKind};

use super::input::Input;
use super::scripted::{Aside, Due, Made, Script, judge, replies};

/// A call: what a success has to rest on, and how it is made through a transport.
pub type Call = (Due, fn(Script) -> Made);

/// The items of all pages that the script holds.
pub async fn gathered<T: 'static>(pages: Result<Pages<T>, Error>) -> Result<Vec<T>, Error> {
    let (mut pages, mut items, mut is_first) = (pages?, Vec::new(), true);
    loop {
        match pages.next_page().await {
            Ok(Some(page)) => items.extend(page.items),
            Ok(None) => return Ok(items),
            Err(error) if !is_first && error.kind() == ErrorKind::Connect => return Ok(items),
            Err(error) => return Err(error),
        }
        is_first = false;
    }
}

/// No request is set aside.
pub const NONE: Aside = |_| None;

/// Makes the call that the input chooses, with the rest for answers, whole and in pieces; both have to end alike.
pub fn call(data: &[u8], calls: &[Call], aside: Aside) {
    let mut input = Input(data);
    let (due, make) = *input.choose(calls);
    let split = input.byte();
    let played = |split| {
        let script = Script::new(replies(input, split), aside);
        let made = make(script.clone());
        judge(due, &made, &script.given());
        made.printed
    };
    let whole = played(0);
    assert_eq!(whole, played(split.max(1)), "the pieces of a body make a difference");
}

/// Logins are answered from the input.
pub fn logins(data: &[u8]) {
    call(
        data,
        &[
            legale::LOGIN,
            geosite::LOGIN,
            geosite::LEGACY_LOGIN,
            geosite::HUBSOFT_LOGIN,
            sugester::LOGIN,
            apiges::LOGIN,
        ],
        NONE,
    );
}

/// A call as a row of a table: what is due, and the call of the client that `$rig` makes of a transport.
macro_rules! calls {
    ($rig:expr; $($due:ident |$client:ident| $call:expr, $items:expr;)+) => {
        &[$((Due::$due, |script: Script| {
            let $client = $rig(script);
            block_on(async { Made::of($call, $items) })
        })),+]
    };
}
pub(super) use calls;
