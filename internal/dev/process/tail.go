package process

import (
	"os"
	"strings"
)

// tailSize is as much as Kubernetes keeps of a termination message.
const tailSize = 2048

// Tail is the end of a log file, at most 2 KiB, for a message; it is empty when
// the file cannot be read.
func Tail(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	data := make([]byte, min(tailSize, info.Size()))
	n, _ := file.ReadAt(data, info.Size()-int64(len(data)))
	return strings.TrimSpace(string(data[:n]))
}
