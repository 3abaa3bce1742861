package connector

// class is how a record counts.
type class struct {
	managed, pending, failed, drifted groups
	duplicate                         bool
	exists                            bool
}

func classOf(r *record) class {
	return class{r.managed, r.pending, r.failed, r.drifted, r.duplicate, r.known && !r.absent}
}

// counters count SKUs by what is said of their groups, so that the numbers of
// every sync can be told without looking at SKUs.
type counters struct {
	by         [1 << 12]int32
	duplicates int
	existing   int
}

func (c class) index() int {
	return int(c.managed) | int(c.pending)<<3 | int(c.failed)<<6 | int(c.drifted)<<9
}

func (c *counters) add(x class, n int) {
	c.by[x.index()] += int32(n)
	if x.duplicate {
		c.duplicates += n
	}
	if x.exists {
		c.existing += n
	}
}

func (c *counters) move(from, to class) {
	if from != to {
		c.add(from, -1)
		c.add(to, 1)
	}
}

// of tells the numbers for some groups.
func (c *counters) of(g groups) (inSync, pending, failed, drifted int) {
	for i, n := range c.by {
		if n == 0 {
			continue
		}
		managed, pend, fail, drift := groups(i)&allGroups, groups(i>>3)&allGroups, groups(i>>6)&allGroups, groups(i>>9)&allGroups
		switch {
		case fail&g != 0:
			failed += int(n)
		case pend&g != 0:
			pending += int(n)
		case managed&g != 0 && drift&g == 0:
			inSync += int(n)
		}
		if drift&g != 0 {
			drifted += int(n)
		}
	}
	return inSync, pending, failed, drifted
}
