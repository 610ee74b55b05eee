// What is wider than the page is scrolled with the keyboard, too; and buttons that copy are no part of the page's outline.
const WIDE = ".md-typeset__scrollwrap, .md-typeset pre > code, .highlight-ipynb, .jp-OutputArea-output > pre";

function reach() {
  document.querySelectorAll(WIDE).forEach((wide) => wide.setAttribute("tabindex", "0"));
  document.querySelectorAll(".md-code__nav").forEach((buttons) => buttons.setAttribute("role", "none"));
}

window.addEventListener("load", () => {
  reach();
  new MutationObserver(reach).observe(document.body, { childList: true, subtree: true }); // the theme adds buttons later
});
