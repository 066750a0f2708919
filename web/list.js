// A long list of which only the rows in sight exist, so that ten thousand items cost what twenty do.
//
//    #rows, as high as all rows ┌────────────┐
//                               │            │  <- no elements
//    the window  ───────────────│ row 812    │  } `rows`, by key, each where its index says,
//                               │ row 813    │  } in the document in the order of their indices
//                ───────────────│ row 814    │
//                               │            │
//                               └────────────┘
// The row that has the focus stays, wherever the window is.

const AROUND = 4; // rows above and below the window, for what is scrolled next

export class List {
	#element;
	#makeRow;
	#items = [];
	#indices = new Map();
	#rows = new Map();
	#spare = []; // rows out of sight, for the next ones
	#height = 0;
	#frame = 0;

	// `makeRow()` answers {element, show(item, index), tick(item, now)}. Items have a `key`.
	constructor(element, makeRow) {
		this.#element = element;
		this.#makeRow = makeRow;
		addEventListener("scroll", () => this.#renderSoon(), {passive: true});
		new ResizeObserver(() => this.#measure()).observe(document.documentElement);
		element.addEventListener("keydown", (event) => this.#onKey(event));
	}

	set(items) {
		this.#items = items;
		this.#indices = new Map(items.map((item, index) => [item.key, index]));
		if (this.#height === 0)
			this.#measure();
		this.#element.style.height = `${items.length * this.#height}px`;
		this.#render();
	}

	tick(now) {
		for (const row of this.#rows.values())
			row.tick(row.item, now);
	}

	#measure() {
		const {element} = this.#makeRow();
		this.#element.append(element);
		this.#height = element.offsetHeight;
		element.remove();
		for (const row of this.#rows.values())
			row.index = undefined;
		this.#element.style.height = `${this.#items.length * this.#height}px`;
		this.#render();
	}

	#renderSoon() {
		this.#frame ||= requestAnimationFrame(() => {
			this.#frame = 0;
			this.#render();
		});
	}

	#focusedKey() {
		const holder = document.activeElement?.closest("[data-key]");
		return holder && this.#element.contains(holder) ? holder.dataset.key : undefined;
	}

	// The indices to be shown, ascending.
	#wanted() {
		const top = this.#element.getBoundingClientRect().top;
		const first = Math.max(0, Math.floor(-top / this.#height) - AROUND);
		const end = Math.min(this.#items.length, Math.ceil((innerHeight - top) / this.#height) + AROUND);
		const wanted = [];
		for (let index = first; index < end; index++)
			wanted.push(index);
		const focused = this.#indices.get(this.#focusedKey());
		if (focused < first)
			wanted.unshift(focused);
		else if (focused >= end)
			wanted.push(focused);
		return wanted;
	}

	#render() {
		if (this.#height === 0)
			return;
		const wanted = this.#wanted();
		const keys = new Set(wanted.map((index) => this.#items[index].key));
		const active = document.activeElement;
		for (const [key, row] of this.#rows) {
			if (!keys.has(key)) {
				row.element.remove();
				row.index = undefined;
				this.#spare.push(row);
				this.#rows.delete(key);
			}
		}
		let place = this.#element.firstElementChild;
		for (const index of wanted) {
			const {element} = this.#put(this.#items[index], index);
			if (element === place)
				place = place.nextElementSibling;
			else
				this.#element.insertBefore(element, place);
		}
		// Moving an element takes the focus from it.
		if (active !== document.activeElement && active?.isConnected)
			active.focus({preventScroll: true});
	}

	#put(item, index) {
		let row = this.#rows.get(item.key);
		if (!row) {
			row = this.#spare.pop() ?? this.#makeRow();
			row.element.dataset.key = item.key;
			this.#rows.set(item.key, row);
		}
		if (row.index !== index) {
			row.index = index;
			row.element.style.transform = `translateY(${index * this.#height}px)`;
			row.element.setAttribute("aria-rowindex", index + 2);
		}
		if (row.item !== item) {
			row.item = item;
			row.show(item);
		}
		return row;
	}

	#focus(index) {
		const top = this.#element.getBoundingClientRect().top + index * this.#height;
		if (top < 0)
			scrollBy(0, top - this.#height);
		else if (top + this.#height > innerHeight)
			scrollBy(0, top + 2 * this.#height - innerHeight);
		this.#render();
		this.#rows.get(this.#items[index].key).element.querySelector("a").focus({preventScroll: true});
	}

	#onKey(event) {
		const index = this.#indices.get(this.#focusedKey());
		if (index === undefined || event.altKey || event.ctrlKey || event.metaKey)
			return;
		const last = this.#items.length - 1;
		const next = {ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: last}[event.key];
		if (next === undefined)
			return;
		event.preventDefault();
		this.#focus(Math.max(0, Math.min(last, next)));
	}
}
