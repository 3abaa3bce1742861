package shops

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Shops restart on the port they had. Ports below the range that systems give
// to outgoing connections cannot be taken by one of those meanwhile.
const lowestPort, highestPort = 20000, 32000

// freePort returns a loopback port that nothing listens on now. Something else
// may take it before it is used, so callers start again with another one.
func freePort() (int, error) {
	for range 100 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if portFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("shops: no free port found between %d and %d", lowestPort, highestPort)
}

func portFree(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
