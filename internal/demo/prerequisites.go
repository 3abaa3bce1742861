package demo

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"selaras.dev/selaras/internal/shops"
)

const minNode = 20

// checkNode returns nil when Node.js is new enough for the shops, else one
// line that says what is needed.
func checkNode(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", "--version").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("the demo's shops need Node.js %d or newer, and node is not on PATH (Debian: apt-get install nodejs npm)", minNode)
	}
	if err != nil {
		return fmt.Errorf("the demo's shops need Node.js %d or newer; asking node for its version: %w", minNode, err)
	}
	return nodeFits(strings.TrimSpace(string(out)))
}

// nodeFits judges what `node --version` prints, such as v20.20.2.
func nodeFits(version string) error {
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	if number, err := strconv.Atoi(major); err != nil || number < minNode {
		return fmt.Errorf("the demo's shops need Node.js %d or newer, found %s (Debian: apt-get install nodejs npm)", minNode, version)
	}
	return nil
}

// checkShops returns nil when the shops' packages are installed.
func checkShops() error {
	err := shops.VendureInstalled()
	if errors.Is(err, shops.ErrNotInstalled) {
		return fmt.Errorf("%w (`make demo` does it)", err)
	}
	return err
}
