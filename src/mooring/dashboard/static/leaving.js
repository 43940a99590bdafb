// A page that is left, and kept by the browser for the way back, keeps its streams open as well. A browser has six
// connections for one host, so after some pages the next would not load. So streams end with the page, and a page that
// is come back to is loaded anew.
addEventListener("pagehide", () => {
  for (const element of document.querySelectorAll("[sse-connect]")) {
    element["htmx-internal-data"]?.sseEventSource?.close();
  }
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
