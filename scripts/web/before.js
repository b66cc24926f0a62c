// Runs before the page's modules, in any browser: what keeps them from running gets a sentence too.
(function () {
  "use strict";
  function trouble(sentence) {
    var place = document.getElementById("trouble");
    place.textContent = sentence;
    place.hidden = false;
  }
  if (location.protocol === "file:") {
    trouble("Browsers load no programs from file:// addresses. Serve this folder: 'cargo unreal web --serve', or 'python3 -m http.server' in it.");
  } else if (!("noModule" in document.createElement("script"))) {
    trouble("This browser is too old for the page: it does not know JavaScript modules. One from 2021 or later will do.");
  }
  // A module that does not load reports to its script element, which comes after this one.
  window.addEventListener("error", function (event) {
    if (event.target && event.target.id === "page-module") {
      trouble("The page's program did not load: page.js or a file that it needs is missing. Is the whole folder there?");
    }
  }, true);
})();
