// Makes elements. Text is only ever text: nothing here, or elsewhere, parses HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith("on"))
			element.addEventListener(name.slice(2), value);
		else if (value === true)
			element.setAttribute(name, "");
		else if (value !== false && value !== undefined)
			element.setAttribute(name, value);
	}
	element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
	return element;
}

// h("a", {href: "/"}, "text"): false and undefined attributes and children are left out; "onclick" takes a function.
export function h(tag, attributes = {}, ...children) {
	return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
	return fill(document.createElementNS(SVG, tag), attributes, children);
}

// One of the symbols that each page defines.
export function icon(name) {
	return svg("svg", {class: "icon", "aria-hidden": "true"}, svg("use", {href: `#i-${name}`}));
}

export function byId(id) {
	return document.getElementById(id);
}

// Writing the same text again would cost a layout.
export function setText(element, text) {
	if ((element.firstChild?.nodeValue ?? "") !== text)
		element.textContent = text;
}
