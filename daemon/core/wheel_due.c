#include "wheel_due.h"

#include <assert.h>
#include <stdlib.h>

static inline bool
node_before(const struct wheel_node *a, const struct wheel_node *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && (uintptr_t)a < (uintptr_t)b);
}

/* Brings `key` to the root, or where it is absent a neighbour of it. */
static struct wheel_node *
tree_splay(struct wheel_node *nil, struct wheel_node *root, const struct wheel_node *key)
{
	struct wheel_node sides, *below = &sides, *above = &sides, *child;

	link_set(&sides.left, nil);
	link_set(&sides.right, nil);
	while (root != key) {
		if (node_before(key, root)) {
			child = link_get(&root->left);
			if (child != nil && node_before(key, child)) {
				root->left = child->right;
				link_set(&child->right, root);
				root = child;
				child = link_get(&root->left);
			}
			if (child == nil)
				break;
			link_set(&above->left, root);
			above = root;
		} else {
			child = link_get(&root->right);
			if (child != nil && node_before(child, key)) {
				root->right = child->left;
				link_set(&child->left, root);
				root = child;
				child = link_get(&root->right);
			}
			if (child == nil)
				break;
			link_set(&below->right, root);
			below = root;
		}
		root = child;
	}
	below->right = root->left;
	above->left = root->right;
	root->left = sides.right;
	root->right = sides.left;
	return root;
}

void
due_insert(struct due *due, struct wheel_node *node)
{
	struct wheel_node *nil = &due->nil, *root = due->root;

	link_set(&node->left, nil);
	link_set(&node->right, nil);
	if (root != nil) {
		root = tree_splay(nil, root, node);
		if (node_before(node, root)) {
			node->left = root->left;
			link_set(&node->right, root);
			link_set(&root->left, nil);
		} else {
			node->right = root->right;
			link_set(&node->left, root);
			link_set(&root->right, nil);
		}
	}
	due->root = node;
	due->count++;
}

void
due_remove(struct due *due, struct wheel_node *node)
{
	struct wheel_node *nil = &due->nil;
	struct wheel_node *root = tree_splay(nil, due->root, node), *left = link_get(&node->left);

	assert(root == node);
	if (left == nil) {
		root = link_get(&node->right);
	} else {
		/* All on the left are before the node, so the last of them comes up and has no right child. */
		root = tree_splay(nil, left, node);
		root->right = node->right;
	}
	due->root = root;
	due->count--;
}

struct wheel_node *
due_bring_first(struct due *due)
{
	struct wheel_node *nil = &due->nil, *root = due->root, *child;
	struct wheel_node sides, *above = &sides;

	link_set(&sides.left, nil);
	while ((child = link_get(&root->left)) != nil) {
		root->left = child->right;
		link_set(&child->right, root);
		root = child;
		child = link_get(&root->left);
		if (child == nil)
			break;
		link_set(&above->left, root);
		above = root;
		root = child;
	}
	above->left = root->right;
	root->right = sides.left;
	due->root = root;
	return root;
}

static struct wheel_node *
list_merge(struct wheel_node *a, struct wheel_node *b)
{
	struct wheel_link head, *tail = &head;

	while (a != NULL && b != NULL) {
		bool before = node_before(b, a);
		struct wheel_node *first = before ? b : a, *next = link_get(&first->next);

		link_set(tail, first);
		tail = &first->next;
		a = before ? a : next;
		b = before ? next : b;
	}
	link_set(tail, a != NULL ? a : b);
	return link_get(&head);
}

static struct wheel_node *
list_sort(struct wheel_node *list)
{
	/* run[i] is NULL or a sorted run of 2^i nodes. */
	struct wheel_node *run[64];
	unsigned runs = 0;

	while (list != NULL) {
		struct wheel_node *merged = list;
		unsigned i = 0;

		list = link_get(&list->next);
		link_set(&merged->next, NULL);
		for (; i < runs && run[i] != NULL; i++) {
			merged = list_merge(run[i], merged);
			run[i] = NULL;
		}
		run[i] = merged;
		if (i == runs)
			runs++;
	}
	for (unsigned i = 0; i < runs; i++)
		list = list_merge(run[i], list);
	return list;
}

void
due_take(struct due *due, struct wheel_node *list)
{
	struct wheel_node *nil = &due->nil, *next;

	due->root = list != NULL ? list : nil;
	due->count = 0;
	for (struct wheel_node *node = list; node != NULL; node = next) {
		next = link_get(&node->next);
		link_set(&node->left, nil);
		if (next == NULL)
			link_set(&node->right, nil);
		due->count++;
	}
}

void
due_fill(struct due *due, struct wheel_node *list)
{
	due_take(due, list_sort(list));
}

struct wheel_node *
due_list(struct due *due)
{
	struct wheel_node *nil = &due->nil, *node = due->root, *next;
	struct wheel_link list, *end = &list;

	/* Right rotations bring the tree's nodes up in their order. */
	for (; node != nil; node = next) {
		while ((next = link_get(&node->left)) != nil) {
			node->left = next->right;
			link_set(&next->right, node);
			node = next;
		}
		next = link_get(&node->right);
		link_set(end, node);
		end = &node->next;
	}
	link_set(end, NULL);
	due->root = nil;
	due->count = 0;
	return link_get(&list);
}

/* The stack holds the nodes whose left children are being looked at. */
const struct wheel_node *
due_check(const struct due *due)
{
	const struct wheel_node **stack = calloc(due->count + 1, sizeof(struct wheel_node *));
	const struct wheel_node *node = due->root, *previous = NULL;
	size_t depth = 0, count = 0;

	assert(stack != NULL);
	while (node != &due->nil || depth > 0) {
		for (; node != &due->nil; node = link_get(&node->left)) {
			assert(depth < due->count);
			stack[depth++] = node;
		}
		node = stack[--depth];
		assert(previous == NULL || node_before(previous, node));
		previous = node;
		count++;
		node = link_get(&node->right);
	}
	free(stack);
	assert(count == due->count);
	return previous;
}
