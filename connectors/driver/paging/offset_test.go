package paging

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// numbers is a list of numbers, named as a shop names its items.
type numbers struct {
	all []int
	// ordered: the order of the names can be told.
	ordered bool
	reads   int
}

func (n *numbers) walk() Offset[int] {
	return Offset[int]{
		Read: func(_ context.Context, skip, take int) ([]int, int, error) {
			n.reads++
			from := min(skip, len(n.all))
			return slices.Clone(n.all[from:min(from+take, len(n.all))]), len(n.all), nil
		},
		ID: strconv.Itoa,
		Compare: func(a, b string) (int, bool) {
			x, _ := strconv.Atoi(a)
			y, _ := strconv.Atoi(b)
			return cmp.Compare(x, y), n.ordered
		},
	}
}

// What is in the list all the time is in the walk, whatever else is deleted and
// added between its pages.
func TestAWalkByOffsetLeavesNothingOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := &numbers{all: rapid.SliceOfNDistinct(rapid.IntRange(1, 60), 0, 40, rapid.ID[int]).Draw(t, "list"), ordered: rapid.Bool().Draw(t, "ordered")}
		slices.Sort(n.all)
		stays := map[int]bool{}
		for _, number := range n.all {
			stays[number] = true
		}
		limit := rapid.IntRange(1, 7).Draw(t, "limit")
		met := map[int]bool{}
		var at OffsetPosition
		for pages := 0; ; pages++ {
			if pages > 200 {
				t.Fatal("the walk does not end")
			}
			page, err := n.walk().Page(t.Context(), at, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Items) > limit || page.Total != len(n.all) {
				t.Fatalf("a page of %d items of %d, want at most %d of %d", len(page.Items), page.Total, limit, len(n.all))
			}
			for _, number := range page.Items {
				met[number] = true
			}
			if !slices.Equal(page.Items, n.all[min(page.Begin, len(n.all)):][:len(page.Items)]) {
				t.Fatalf("%v of %v does not begin behind %d", page.Items, n.all, page.Begin)
			}
			if page.Next == nil {
				break
			}
			// A cursor goes through JSON.
			text, err := json.Marshal(page.Next)
			if err != nil {
				t.Fatal(err)
			}
			at = OffsetPosition{}
			if err := json.Unmarshal(text, &at); err != nil {
				t.Fatal(err)
			}
			if pages > 30 {
				continue
			}
			n.all = slices.DeleteFunc(n.all, func(number int) bool {
				gone := rapid.IntRange(0, 5).Draw(t, "gone") == 0
				if gone {
					delete(stays, number)
				}
				return gone
			})
			if rapid.Bool().Draw(t, "grows") {
				n.all = append(n.all, rapid.IntRange(100, 1000).Draw(t, "new"))
				slices.Sort(n.all)
				n.all = slices.Compact(n.all)
			}
		}
		for number := range stays {
			if !met[number] {
				t.Fatalf("%d was left out of %v", number, n.all)
			}
		}
	})
}

func TestAWalkByOffsetReadsAListAtRestOnce(t *testing.T) {
	t.Parallel()
	n := &numbers{ordered: true}
	for number := range 95 {
		n.all = append(n.all, number)
	}
	var met []int
	for at := (&OffsetPosition{}); at != nil; {
		page, err := n.walk().Page(t.Context(), *at, 10)
		if err != nil {
			t.Fatal(err)
		}
		met, at = append(met, page.Items...), page.Next
	}
	if !slices.Equal(met, n.all) || n.reads != 10 {
		t.Errorf("%d reads gave %v, want each of 95 once by 10 reads", n.reads, met)
	}
}

func TestAPageIsComparedWithTheOneBefore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		items   []int
		at      OffsetPosition
		unknown bool
		from    int
		found   bool
	}{
		{"the first page", []int{1, 2}, OffsetPosition{}, false, 0, true},
		{"nothing moved", []int{2, 3}, OffsetPosition{2, "2"}, false, 1, true},
		{"the last item is gone, nothing else", []int{3, 4}, OffsetPosition{2, "2"}, false, 0, false},
		{"earlier items are gone", []int{5, 6}, OffsetPosition{4, "3"}, false, 0, false},
		{"items were added before it", []int{1, 2, 3, 4}, OffsetPosition{2, "3"}, false, 3, true},
		{"stepped back far enough", []int{1, 4, 5}, OffsetPosition{3, "3"}, false, 1, true},
		{"stepped back to before the end", []int{1, 2}, OffsetPosition{3, "3"}, false, 2, true},
		{"all are gone", nil, OffsetPosition{3, "3"}, false, 0, false},
		{"stepped back to the start", []int{4, 5}, OffsetPosition{0, "3"}, false, 0, true},
		{"ids of no known order", []int{1, 4}, OffsetPosition{2, "3"}, true, 0, false},
	} {
		n := &numbers{ordered: !c.unknown}
		if from, found := n.walk().after(c.items, c.at); from != c.from || found != c.found {
			t.Errorf("%s: from %d, found %v; want %d, %v", c.name, from, found, c.from, c.found)
		}
	}
}

func TestAnErrorEndsAPage(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	walk := Offset[int]{Read: func(context.Context, int, int) ([]int, int, error) { return nil, 0, down }}
	if _, err := walk.Page(t.Context(), OffsetPosition{}, 10); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
}

func TestAPageIsAsLargeAsAskedForAndTheChannelGives(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]int{{0, 100, 100}, {-1, 100, 100}, {7, 100, 7}, {100, 100, 100}, {101, 100, 100}} {
		if got := Limit(c[0], c[1]); got != c[2] {
			t.Errorf("%d of at most %d: %d, want %d", c[0], c[1], got, c[2])
		}
	}
}
