package connector

// passes reports whether a call would be let through at once. What is written
// is decided last: a write rather goes back to the queue than wait while the
// channel is down.
func (l *link) passes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.certain() && !l.health.closed && !l.resume.After(l.now())
}
