/* Macros of headers that cppcheck does not read; it is told to include this before each file. */
#define LIST_ENTRY(type)                                                                                               \
	struct {                                                                                                       \
		struct type *le_next;                                                                                  \
		struct type **le_prev;                                                                                 \
	}
#define LIST_HEAD(name, type)                                                                                          \
	struct name {                                                                                                  \
		struct type *lh_first;                                                                                 \
	}
#define LIST_FOREACH(item, head, field) for ((item) = (head)->lh_first; (item); (item) = (item)->field.le_next)
#define TAILQ_ENTRY(type)                                                                                              \
	struct {                                                                                                       \
		struct type *tqe_next;                                                                                 \
		struct type **tqe_prev;                                                                                \
	}
#define TAILQ_HEAD(name, type)                                                                                         \
	struct name {                                                                                                  \
		struct type *tqh_first;                                                                                \
		struct type **tqh_last;                                                                                \
	}
#define STAILQ_HEAD(name, type)          TAILQ_HEAD(name, type)
#define STAILQ_ENTRY(type)               TAILQ_ENTRY(type)
#define TAILQ_FOREACH(item, head, field) for ((item) = (head)->tqh_first; (item); (item) = (item)->field.tqe_next)
#define HASH_ITER(hh, head, item, next)  for ((item) = (head), (next) = NULL; (item); (item) = (next))
#define json_object_foreach(object, key, value)                                                                        \
	while (((key) = json_object_iter_key(object)) && ((value) = json_object_iter_value(object)))
