// Package paging walks through lists of a channel that change meanwhile, so
// that nothing is left out: Offset through a whole list that is paged by offset
// only, Watermark from poll to poll through what changed since. Something may
// come twice.
package paging

// Limit is the size of a page: what the caller asks for, at most what the
// channel gives; that too when the caller leaves it open.
func Limit(asked, most int) int {
	if asked <= 0 || asked > most {
		return most
	}
	return asked
}
