package allot_test

import (
	"fmt"
	"testing"

	"selaras.dev/selaras/internal/catalog/allot"
)

// A pass over a catalog plans every SKU anew; in most nothing changes.
func BenchmarkPlanOfAQuietSKU(b *testing.B) {
	for _, channels := range []int{5, 20} {
		b.Run(fmt.Sprintf("%d channels", channels), func(b *testing.B) {
			p := &allot.Policy{Kind: allot.Escrow}
			for i := range channels {
				p.Parts = append(p.Parts, allot.Part{Channel: fmt.Sprintf("channel-%02d", i)})
			}
			m := allot.Market{Now: now, ATS: 100, Seen: func(string) allot.Seen { return allot.Seen{} }}
			var book allot.Book
			book.Plan(p, m)
			for i := range channels {
				book.Moved(p.Parts[i].Channel, int64(i%4), 0, allot.Proof{}, now)
			}
			b.ReportAllocs()
			for b.Loop() {
				book.Plan(p, m)
			}
		})
	}
}
