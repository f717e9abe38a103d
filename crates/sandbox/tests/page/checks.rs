//! What is asked of every page in a browser.

use serde_json::json;

use crate::driver::Browser;

/// Fails if something in the page has no name for those who do not see it, is hard to read, or is beside the window.
pub(crate) async fn sound(browser: &Browser, name: &str) {
    for (what, expression) in [("too wide", WIDE), ("without a name", UNNAMED), ("too faint", FAINT)] {
        assert_eq!(browser.value(expression).await, json!([]), "{name}: {what}");
    }
    assert_eq!(browser.console().await, Vec::<String>::new(), "{name}");
}

/// Against the width of the layout: a phone's browser makes a page that is too wide smaller, and `innerWidth` larger.
const WIDE: &str = "document.documentElement.scrollWidth > document.documentElement.clientWidth \
    ? [document.documentElement.scrollWidth] : []";

const UNNAMED: &str = "[...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a')].filter(\
    (one) => !one.hidden && !(one.labels && one.labels.length) && !one.getAttribute('aria-label') && !one.textContent.trim()).map((one) => one.outerHTML)";

/// Texts whose contrast with what is behind them is under 4.5 to 1 (WCAG 2.2, 1.4.3). A text in a picture has its
/// fill for a colour, and the shape before it for a ground.
const FAINT: &str = r"(() => {
    const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const parts = (text) => text.match(/[\d.]+/g).map(Number);
    const ground = (one) => { for (let at = one; at; at = at.parentElement) { const c = parts(getComputedStyle(at).backgroundColor); if (c.length < 4 || c[3] > 0.99) return c.slice(0, 3); } return [255, 255, 255]; };
    const shape = (one) => one.parentElement.querySelector('circle, polygon');
    const faint = [];
    for (const one of document.querySelectorAll('body *')) {
        const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !one.checkVisibility() || one.tagName === 'title' || one.closest('.skip')) continue;
        const drawn = one.tagName === 'text';
        const front = parts(getComputedStyle(one)[drawn ? 'fill' : 'color']).slice(0, 3);
        const back = drawn && shape(one) ? parts(getComputedStyle(shape(one)).fill).slice(0, 3) : ground(one);
        const [a, b] = [light(front), light(back)];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) faint.push(`${one.className.baseVal ?? one.className} ${one.tagName} ${one.textContent.trim().slice(0, 20)} ${ratio.toFixed(2)}`);
    }
    return faint;
})()";
