package shoptest

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// request and answer are the shop's wire format.
type request struct {
	After   int64           `json:"after,omitempty"`
	Limit   int             `json:"limit,omitempty"`
	Open    bool            `json:"open,omitempty"` // all open orders
	SKUs    []string        `json:"skus,omitempty"`
	Intents []driver.Intent `json:"intents,omitempty"`
}

type answer struct {
	Listings []driver.Listing `json:"listings,omitempty"`
	Orders   []driver.Order   `json:"orders,omitempty"`
	Outcomes []driver.Outcome `json:"outcomes,omitempty"`
	Next     int64            `json:"next,omitempty"`
	More     bool             `json:"more,omitempty"`
	Total    int              `json:"total,omitempty"`
	Mark     string           `json:"mark,omitempty"`
	Error    string           `json:"error,omitempty"`
}

// ServeHTTP serves the shop's API: POST /<operation>[/<what>].
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	op := driver.Operation(name)
	s.mu.Lock()
	s.total++
	s.calls[op]++
	var fault Fault
	if s.fault != nil {
		fault = s.fault(op, s.total)
	}
	gate, limited, token := s.blocked, !s.spend(), s.o.Token
	s.mu.Unlock()
	select {
	case <-gate:
	case <-r.Context().Done():
		return
	}
	if s.o.Latency > 0 {
		time.Sleep(s.o.Latency)
	}
	switch {
	case limited:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many calls", http.StatusTooManyRequests)
		return
	case fault.Status != 0:
		if fault.RetryAfter != "" {
			w.Header().Set("Retry-After", fault.RetryAfter)
		}
		http.Error(w, "injected fault", fault.Status)
		return
	case token != "" && r.Header.Get("Authorization") != "Bearer "+token:
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	var req request
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	for i := range req.Intents {
		s.sent[req.Intents[i].SKU] = append(s.sent[req.Intents[i].SKU], req.Intents[i].Version)
	}
	s.mu.Unlock()
	if fault.Late {
		s.mu.Lock()
		s.late = append(s.late, func() { s.do(op, what, &req) })
		s.mu.Unlock()
		<-r.Context().Done()
		return
	}
	s.mu.Lock()
	a, status := s.do(op, what, &req)
	s.mu.Unlock()
	if fault.Lose {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a) // the client may be gone
}

// SetToken rotates the credential.
func (s *Shop) SetToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.Token = token
}

// spend takes a token of the shop's own limit; the lock is held.
func (s *Shop) spend() bool {
	if s.o.Limit <= 0 {
		return true
	}
	now := time.Now()
	s.tokens = min(float64(s.o.LimitDepth), s.tokens+now.Sub(s.filled).Seconds()*s.o.Limit)
	s.filled = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// do carries out a call; the lock is held.
func (s *Shop) do(op driver.Operation, what string, req *request) (answer, int) {
	s.served[op]++
	switch op {
	case driver.OpAccount:
		return answer{Mark: s.o.Mark}, http.StatusOK
	case driver.OpRead:
		if what == "page" {
			return s.page(req), http.StatusOK
		}
		return s.get(req.SKUs), http.StatusOK
	case driver.OpChanges:
		return s.changes(req), http.StatusOK
	case driver.OpOrders:
		return s.readOrders(req), http.StatusOK
	case driver.OpWrite, driver.OpCreate:
		return s.write(op, req.Intents)
	case driver.OpRemove:
		return s.remove(req.SKUs), http.StatusOK
	}
	return answer{Error: "no such call"}, http.StatusNotFound
}

func (s *Shop) page(req *request) answer {
	a := answer{Total: len(s.order)}
	i, _ := slices.BinarySearchFunc(s.order, req.After, func(l *listing, after int64) int { return cmp.Compare(number(l.ref), after+1) })
	for ; i < len(s.order) && len(a.Listings) < req.Limit; i++ {
		a.Listings = append(a.Listings, s.show(s.order[i]))
		a.Next = number(s.order[i].ref)
	}
	a.More = i < len(s.order)
	return a
}

func number(ref string) int64 {
	n, _ := strconv.ParseInt(strings.TrimPrefix(ref, "L"), 10, 64)
	return n
}

func sortBySeq(all []*listing) {
	slices.SortFunc(all, func(a, b *listing) int { return cmp.Compare(a.seq, b.seq) })
}

func (s *Shop) get(skus []string) answer {
	var a answer
	for _, sku := range skus {
		for _, l := range s.listings[sku] {
			a.Listings = append(a.Listings, s.show(l))
		}
	}
	return a
}

func (s *Shop) changes(req *request) answer {
	a := answer{Next: s.seq}
	if req.After < 0 {
		return a
	}
	// A listing that changed again stands further on as well, with the newer
	// sequence: from the end back, until the entries are too old to matter.
	var fresh []*listing
	seen := make(map[*listing]bool)
	for i := len(s.changed) - 1; i >= 0; i-- {
		if l := s.changed[i].listing; s.changed[i].seq <= req.After {
			break
		} else if !seen[l] && !l.gone {
			seen[l] = true
			fresh = append(fresh, l)
		}
	}
	sortBySeq(fresh)
	if len(fresh) > req.Limit {
		fresh, a.More = fresh[:req.Limit], true
		a.Next = fresh[req.Limit-1].seq
	}
	for _, l := range fresh {
		a.Listings = append(a.Listings, s.show(l))
	}
	return a
}

func (s *Shop) readOrders(req *request) answer {
	a := answer{Next: s.seq}
	for _, o := range s.orders {
		if o.seq > req.After || req.Open && !o.Closed {
			a.Orders = append(a.Orders, o.Order)
		}
	}
	if req.Open {
		a.Orders = slices.DeleteFunc(a.Orders, func(o driver.Order) bool { return o.Closed })
	}
	return a
}

func (s *Shop) write(op driver.Operation, intents []driver.Intent) (answer, int) {
	if s.o.AllOrNothing {
		for i := range intents {
			if s.poison[intents[i].SKU] {
				return answer{Error: "an item cannot be taken"}, http.StatusUnprocessableEntity
			}
		}
	}
	a := answer{Outcomes: make([]driver.Outcome, len(intents))}
	for i := range intents {
		a.Outcomes[i] = s.set(op, &intents[i])
	}
	return a, http.StatusOK
}

func (s *Shop) set(op driver.Operation, i *driver.Intent) driver.Outcome {
	if s.poison[i.SKU] {
		return driver.Outcome{Kind: driver.Rejected, Reason: "Poison", Message: "this item is refused"}
	}
	found := s.listings[i.SKU]
	var l *listing
	switch {
	case i.Ref != "" && op == driver.OpWrite:
		// Shops write what has the id, whatever its SKU is.
		at, ok := slices.BinarySearchFunc(s.order, number(string(i.Ref)), func(l *listing, n int64) int { return cmp.Compare(number(l.ref), n) })
		if !ok {
			return driver.Outcome{Kind: driver.Rejected, Reason: "UnknownItem", Message: "there is no such listing"}
		}
		if l = s.order[at]; l.sku != i.SKU {
			s.astray++
		}
	case len(found) > 0:
		l = found[0]
	case op == driver.OpCreate:
		l = s.add(i.SKU, driver.Content{}, nil, 0)
	default:
		return driver.Outcome{Kind: driver.Rejected, Reason: "UnknownItem", Message: "there is no such listing"}
	}
	if s.stale(l, i.Stock) {
		return driver.Outcome{Kind: driver.Failed, Reason: driver.ReasonStale, Message: "the stock is another one by now"}
	}
	if i.Content != nil {
		l.content = *i.Content
	}
	if i.Price != nil {
		p := *i.Price
		l.price = &p
	}
	if i.Stock != nil {
		l.onHand = i.Stock.Quantity
		if s.o.Traits.StockBasis == driver.BasisAvailable {
			l.onHand += l.held
		}
	}
	s.touch(l)
	s.items++
	out := driver.Outcome{Kind: driver.Accepted}
	if s.o.Traits.WriteReturnsStored {
		stored := s.show(l)
		out.Kind, out.Stored = driver.Verified, &stored
	}
	return out
}

// stale says that a shop which compares before it sets stores another quantity
// than the write expects.
func (s *Shop) stale(l *listing, w *driver.StockWrite) bool {
	if s.o.Traits.StockMode != driver.StockCompareAndSet || w == nil || w.Previous == nil {
		return false
	}
	have := l.onHand
	if s.o.Traits.StockBasis == driver.BasisAvailable {
		have -= l.held
	}
	return have != *w.Previous
}

func (s *Shop) remove(skus []string) answer {
	a := answer{Outcomes: make([]driver.Outcome, len(skus))}
	for i, sku := range skus {
		for _, l := range s.listings[sku] {
			l.content.Enabled = false
			s.touch(l)
		}
		a.Outcomes[i] = driver.Outcome{Kind: driver.Verified}
	}
	return a
}

// Sign returns the headers of a webhook with the body.
func (s *Shop) Sign(body []byte) http.Header {
	return http.Header{"X-Signature": {sign(s.o.Secret, body)}}
}

func sign(secret string, body []byte) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}
