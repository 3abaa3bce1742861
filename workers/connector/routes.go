package connector

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/workload"
)

// routes says what the channel's part in the syncs of its namespace is: which
// sources it shows what of, and whether it is a source itself. It never
// changes once made; a new configuration makes new routes.
type routes struct {
	// self is the channel's own name.
	self string
	// generation is the newest revision of the configuration it was made from.
	generation uint64
	// hash is of all that decides what the channel should show.
	hash uint64
	// feeds are the sources that the channel shows something of, by name.
	feeds []feed
	// syncs are those the channel is a target of, by name.
	syncs []target
	// publishes is set when the channel is a source: its listings are items.
	publishes bool
	// stock is set when the channel's stock matters to a ledger at all; owns,
	// when differences that nobody here made are to be taken into it.
	stock, owns bool

	// enforce are the groups that are written, observe those that are only
	// compared, leave those whose drift is reported and not written over.
	enforce, observe, leave groups
	// held are groups of syncs under an emergency stop: pending, not written.
	held groups
	// until is when the first hold ends, zero if there is none.
	until time.Time
	// poll is how often changes and orders are asked for, resync how often
	// everything is compared.
	poll, resync time.Duration
	// requested are the tokens by which a comparison was asked for, by who.
	requested map[string]string
	// channel is false while the channel may not be written at all.
	channel bool
	// delist asks for every listing to be taken out of sale.
	delist bool
	// problem is why a sync cannot be served, "" if there is none.
	problem string
}

// feed is what the channel shows of one source.
type feed struct {
	source string
	groups groups
	rules  catalog.Rules
}

// target is a sync that the channel is a target of.
type target struct {
	name       string
	groups     groups
	generation int64
}

// makeRoutes works out the channel's part. now decides which holds are over.
func makeRoutes(name string, channel *workload.ChannelConfig, syncs map[string]*workload.SyncConfig, generation uint64, now time.Time) *routes {
	r := &routes{self: name, generation: generation, delist: channel.Delist && !held(channel.Hold, now),
		channel: channel.State == workload.Running && !channel.Delist && !held(channel.Hold, now),
	}
	r.poll, r.resync = channel.PollInterval, 0
	if r.poll <= 0 {
		r.poll = defaultPoll
	}
	r.request("channel", channel.Requested)
	r.until = ends(channel.Hold, now, time.Time{})
	for _, s := range sorted(syncs) {
		r.until = ends(s.Hold, now, r.until)
		_, keepsStock := s.Fields[string(catalog.GroupStock)]
		if s.Source == name {
			r.publishes = true
			r.stock = r.stock || keepsStock
			r.owns = r.owns || keepsStock
		}
		part, ok := s.Channels[name]
		if ok || s.Source == name {
			r.request("sync "+s.Name, s.Requested)
			if s.Resync > 0 && (r.resync == 0 || s.Resync < r.resync) {
				r.resync = s.Resync
			}
		}
		if !ok {
			continue
		}
		var g groups
		for _, group := range part.Groups {
			bit := bitOf(group)
			field, kept := s.Fields[group]
			if !kept || bit == 0 {
				continue
			}
			g |= bit
			if s.Mode == workload.Enforce {
				r.enforce |= bit
			} else {
				r.observe |= bit
			}
			if held(s.Hold, now) {
				r.held |= bit
			}
			switch field.Drift {
			case workload.DriftObserve:
				r.leave |= bit
			case workload.DriftAdopt:
				if bit == stock {
					r.owns = true
				} else {
					r.leave |= bit
				}
			case workload.DriftEnforce:
			}
		}
		if g == 0 {
			continue
		}
		r.stock = r.stock || g.has(stock)
		r.syncs = append(r.syncs, target{name: s.Name, groups: g, generation: s.Generation})
		rules, err := compile(name, channel, part, g)
		if err != nil {
			r.problem = fmt.Sprintf("CatalogSync %s: %v", s.Name, err)
			r.held |= g
		}
		r.feeds = append(r.feeds, feed{source: s.Source, groups: g, rules: rules})
	}
	if r.resync == 0 {
		r.resync = defaultResync
	}
	if channel.Delist {
		// What is taken out of sale here is no change of the catalog, nor of
		// anybody's stock. Orders are read on.
		r.publishes, r.owns = false, false
	}
	r.hash = r.sum(channel, syncs, name)
	return r
}

// defaultResync is how often everything is compared if no sync says it.
const defaultResync = 24 * time.Hour

func (r *routes) request(who, token string) {
	if token == "" {
		return
	}
	if r.requested == nil {
		r.requested = make(map[string]string)
	}
	r.requested[who] = token
}

// sum hashes what decides what the channel should show and whether it is
// written: a difference makes every SKU be looked at again.
func (r *routes) sum(channel *workload.ChannelConfig, syncs map[string]*workload.SyncConfig, name string) uint64 {
	type part struct {
		Name, Source string
		Mode         workload.Mode
		Fields       map[string]workload.FieldConfig
		Channel      workload.SyncChannel
	}
	parts := make([]part, 0, len(syncs))
	for _, s := range sorted(syncs) {
		if c, ok := s.Channels[name]; ok || s.Source == name {
			parts = append(parts, part{s.Name, s.Source, s.Mode, s.Fields, c})
		}
	}
	h := fnv.New64a()
	e := json.NewEncoder(h)
	// Plain values into a hash: neither can fail.
	_ = e.Encode(parts)
	_ = e.Encode([]any{channel.Currency, channel.Labels, r.enforce, r.observe})
	return h.Sum64() | 1 // never 0, which stands for none yet
}

// feed returns what the channel shows of a source, nil if nothing.
func (r *routes) feed(source string) *feed {
	for i := range r.feeds {
		if r.feeds[i].source == source {
			return &r.feeds[i]
		}
	}
	return nil
}

// seeds reports whether the ledger's stock begins with what the channel shows.
func (r *routes) seeds() bool { return r.publishes && r.owns }

// writable are the groups that may be written now.
func (r *routes) writable() groups {
	if !r.channel {
		return 0
	}
	return r.enforce &^ r.held
}

func compile(name string, channel *workload.ChannelConfig, part workload.SyncChannel, g groups) (catalog.Rules, error) {
	rules := catalog.Rules{
		Content: g.has(content), Price: g.has(price), Stock: g.has(stock),
		Currency:    channel.Currency,
		Channel:     catalog.ChannelScope{Name: name, Currency: channel.Currency, Labels: channel.Labels},
		SafetyStock: part.SafetyStock, MaxQuantity: part.MaxQuantity,
	}
	if part.Price != nil && g.has(price) {
		rule, err := catalog.CompilePriceRule(part.Price.Rule, part.Price.RoundTo, part.Price.Floor)
		if err != nil {
			return rules, fmt.Errorf("price rule: %w", err)
		}
		rules.PriceRule = rule
	}
	return rules, nil
}

func held(h *workload.Hold, now time.Time) bool {
	return h != nil && (h.Until.IsZero() || now.Before(h.Until))
}

// ends returns the earlier of the end of a running hold and another time.
func ends(h *workload.Hold, now, other time.Time) time.Time {
	if !held(h, now) || h.Until.IsZero() || !other.IsZero() && other.Before(h.Until) {
		return other
	}
	return h.Until
}

func bitOf(group string) groups {
	switch catalog.FieldGroup(group) {
	case catalog.GroupContent:
		return content
	case catalog.GroupPrice:
		return price
	case catalog.GroupStock:
		return stock
	}
	return 0
}

func sorted(syncs map[string]*workload.SyncConfig) []*workload.SyncConfig {
	all := make([]*workload.SyncConfig, 0, len(syncs))
	for _, s := range syncs {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *workload.SyncConfig) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
