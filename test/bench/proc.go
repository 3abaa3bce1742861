package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// procField reads a line "Name:  123 kB" of a file of /proc, in KiB.
func procField(data []byte, name string) (int64, error) {
	for line := range bytes.Lines(data) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			fields := bytes.Fields(rest)
			if len(fields) > 0 {
				return strconv.ParseInt(string(fields[0]), 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("no %s", name)
}

// procStatus reads a memory figure of a process, in bytes: RssAnon, VmRSS,
// VmHWM (the most VmRSS ever was).
func procStatus(pid int, name string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	kib, err := procField(data, name)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return kib << 10, nil
}
