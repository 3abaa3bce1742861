package paging

import (
	"context"
	"slices"
)

// Offset walks through a list in the order of ids that is paged by offset. When
// an item is deleted, the later ones move up, and the next page would begin
// behind some of them. So each page begins with the last item of the page
// before, to see whether it is still where it was; where it is not, the walk
// goes back.
type Offset[T any] struct {
	// Read reads up to take items after the first skip of them, and tells how
	// long the list is.
	Read func(ctx context.Context, skip, take int) (items []T, total int, err error)
	// ID is the item's id.
	ID func(item T) string
	// Compare says which of two ids comes first in the list (as cmp.Compare),
	// and whether that is known: ids may be anything where the shop lets its
	// owner choose. A walk in which it is not known goes back further.
	Compare func(a, b string) (order int, known bool)
}

// OffsetPosition is where a walk stands: a driver's cursor.
type OffsetPosition struct {
	// Skip is how many items were read, Last the id of the last one.
	Skip int    `json:"s"`
	Last string `json:"l"`
}

// OffsetPage is one page of a walk.
type OffsetPage[T any] struct {
	Items []T
	// Begin is how many items of the list come before Items.
	Begin int
	// Next is nil on the last page.
	Next *OffsetPosition
	// Total is the length of the list when the page was read.
	Total int
}

// Page reads the page after the position, of at most limit items; the zero
// position is the start.
func (o Offset[T]) Page(ctx context.Context, at OffsetPosition, limit int) (OffsetPage[T], error) {
	for {
		again := min(at.Skip, 1)
		items, total, err := o.Read(ctx, at.Skip-again, limit+again)
		if err != nil {
			return OffsetPage[T]{}, err
		}
		from, found := o.after(items, at)
		if !found {
			at.Skip = max(0, at.Skip-limit)
			continue
		}
		page := OffsetPage[T]{Items: items[from:], Begin: at.Skip - again + from, Total: total}
		if end := at.Skip - again + len(items); end < total && len(items) > 0 {
			page.Next = &OffsetPosition{Skip: end, Last: o.ID(items[len(items)-1])}
		}
		return page, nil
	}
}

// after is where the items after the position begin. They are not found where
// the page may begin behind items that moved up.
func (o Offset[T]) after(items []T, at OffsetPosition) (from int, found bool) {
	if at.Last == "" || at.Skip == 0 {
		return 0, true
	}
	if i := slices.IndexFunc(items, func(item T) bool { return o.ID(item) == at.Last }); i >= 0 {
		return i + 1, true
	}
	// The last item itself is gone, or items before it are. Where the page
	// begins before its place, nothing was left out.
	if len(items) == 0 || !o.isAfter(at.Last, o.ID(items[0])) {
		return 0, false
	}
	i := slices.IndexFunc(items, func(item T) bool { return o.isAfter(o.ID(item), at.Last) })
	if i < 0 {
		i = len(items)
	}
	return i, true
}

// isAfter says that a is known to come after b.
func (o Offset[T]) isAfter(a, b string) bool {
	order, known := o.Compare(a, b)
	return known && order > 0
}
