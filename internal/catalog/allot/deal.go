package allot

// claim is what one channel may get when units are dealt.
type claim struct {
	// weight is its part in relation to the others', most what it can take.
	weight, most int64
	units        int64 // dealt to it
	full         bool
}

// anything is a claim without a bound.
const anything = 1 << 62

// maxWeight keeps weights where they can be multiplied with any stock.
const maxWeight = 1 << 20

// deal deals units by weight, whole ones, until there are none left or nobody
// can take more. Of channels that have the same right to the last unit, the
// first gets it.
func deal(units int64, claims []claim) {
	for units > 0 {
		var total int64
		for i := range claims {
			c := &claims[i]
			c.weight = min(c.weight, maxWeight)
			if c.full = c.full || c.weight <= 0 || c.units >= c.most; !c.full {
				total += c.weight
			}
		}
		if total == 0 {
			return
		}
		if left := fill(units, total, claims); left != units {
			units = left
			continue
		}
		spread(units, total, claims)
		return
	}
}

// fill gives those their all whose part is more than they can take, and returns
// the units that are left.
func fill(units, total int64, claims []claim) int64 {
	left := units
	for i := range claims {
		c := &claims[i]
		if room := c.most - c.units; !c.full && part(units, c.weight, total) >= room {
			c.units, c.full = c.most, true
			left -= room
		}
	}
	return left
}

// spread deals all units; everybody can take a part and one more.
func spread(units, total int64, claims []claim) {
	left := units
	for i := range claims {
		if c := &claims[i]; !c.full {
			n := part(units, c.weight, total)
			c.units += n
			left -= n
		}
	}
	for ; left > 0; left-- {
		next, most := -1, int64(-1)
		for i := range claims {
			c := &claims[i]
			if rest := remainder(units, c.weight, total); !c.full && rest > most {
				next, most = i, rest
			}
		}
		claims[next].units++
		claims[next].full = true
	}
}

func part(units, weight, total int64) int64 { return units * weight / total }

func remainder(units, weight, total int64) int64 { return units * weight % total }
