package connector

// fence tells readings that may be older than what is known: a reading that
// began before a SKU was last written or read to have changed must not be
// believed of that SKU. It remembers SKUs only while readings are under way.
// The engine's lock guards it.
type fence struct {
	tick   uint64
	active map[uint64]struct{}
	last   map[string]uint64
}

// begin starts a reading; pass the token to end.
func (f *fence) begin() uint64 {
	if f.active == nil {
		f.active, f.last = make(map[uint64]struct{}), make(map[string]uint64)
	}
	f.tick++
	f.active[f.tick] = struct{}{}
	return f.tick
}

// end ends a reading.
func (f *fence) end(token uint64) {
	delete(f.active, token)
	if len(f.active) == 0 {
		clear(f.last)
	}
}

// mark notes that what is known of a SKU is from now.
func (f *fence) mark(sku string) {
	if len(f.active) > 0 {
		f.tick++
		f.last[sku] = f.tick
	}
}

// stale reports whether a reading began before the SKU's last mark.
func (f *fence) stale(sku string, token uint64) bool { return f.last[sku] > token }
