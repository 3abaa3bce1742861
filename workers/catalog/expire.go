package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
)

// Bounds of one look for closed lines, so that facts do not wait for it.
const (
	expireScan = 20_000
	expireMost = 200
)

var closedMark = []byte(`"closed":true`)

// expire takes closed lines that are old enough out of the state, some at a
// time. It returns after what time to go on.
func (f *folder) expire() (time.Duration, error) {
	if f.view.dirty+2*expireMost > maxRecords {
		return expireAgain, nil // facts first
	}
	from := f.expiring
	if from == nil {
		from = linePrefix
	}
	now := f.w.now()
	found := map[string]map[string]catalog.Line{}
	scanned, hits := 0, 0
	var goOn []byte
	err := f.w.store.scan(from, lineEnd, func(key, value []byte) (bool, error) {
		if scanned++; scanned > expireScan || hits >= expireMost {
			goOn = bytes.Clone(key)
			return false, nil
		}
		if !bytes.Contains(value, closedMark) {
			return true, nil
		}
		var line catalog.Line
		if err := json.Unmarshal(value, &line); err != nil {
			return false, fmt.Errorf("decode the record %s: %w", key, err)
		}
		if !line.Expired(now) {
			return true, nil
		}
		subject, err := hub.ParseSubject(string(key))
		if err != nil {
			return false, err
		}
		id, err := subject.Line()
		if err != nil {
			return false, err
		}
		channel := subject.Channel()
		// A batch under way may have changed it.
		if line, _, err = f.view.Line(channel, id); err != nil {
			return false, err
		}
		if !line.Expired(now) {
			return true, nil
		}
		if found[channel] == nil {
			found[channel] = map[string]catalog.Line{}
		}
		found[channel][id] = line
		hits++
		return true, nil
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errStop, err)
	}
	f.expiring = goOn
	for channel, lines := range found {
		horizon, _, err := f.view.Line(channel, catalog.HorizonLine)
		if err != nil {
			return 0, err
		}
		staged, err := stage(&catalog.Changes{Lines: catalog.Expire(channel, horizon, lines)})
		if err != nil {
			return 0, err
		}
		if err := f.view.take(staged); err != nil {
			return 0, err
		}
	}
	if goOn != nil {
		return expireAgain, nil
	}
	return expireEvery, nil
}
