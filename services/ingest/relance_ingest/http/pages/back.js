// Going back keeps what was written, following the link does not.
document.getElementById("back")?.addEventListener("click", event => {
  if (history.length > 1) { event.preventDefault(); history.back(); }
});
