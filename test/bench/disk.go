package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// probes is the number of appends of one probe of the disk.
const probes = 1000

// fsyncP99 appends 1,000 times 4 KiB to a file, each time until it is on disk,
// and returns the 99th percentile. Nothing else of ours may run meanwhile.
func fsyncP99(dir string) (p99 time.Duration, err error) {
	f, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 4<<10)
	took := make([]time.Duration, probes)
	for i := range took {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took[i] = time.Since(began)
	}
	return percentile(took, 99), nil
}

// percentile sorts the times and returns the one that p of a hundred do not
// exceed.
func percentile(times []time.Duration, p float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	i := int(float64(len(times))*p/100+0.999999) - 1
	return times[min(max(i, 0), len(times)-1)]
}

// median of some numbers, which it sorts.
func median(numbers []float64) float64 {
	slices.Sort(numbers)
	return numbers[len(numbers)/2]
}
