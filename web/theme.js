// The chosen colours, before anything is painted: a classic script, so that it runs at once.
(() => {
	const chosen = localStorage.getItem("slated.theme");
	if (chosen)
		document.documentElement.dataset.theme = chosen;
})();
