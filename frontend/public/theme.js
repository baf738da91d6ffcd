// Before anything is painted: the theme that was chosen, or the system's. A file, since the page's policy runs none inline.
(function () {
  var chosen = null;
  try { chosen = localStorage.getItem("coditect.theme"); } catch { /* storage is off: the system's */ }
  var dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.className = dark ? "dark" : "light";
})();
