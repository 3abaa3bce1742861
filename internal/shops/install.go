package shops

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// sources are the files whose content names an install directory; the install
// script reads the same files and computes the same names.
//
//go:embed webhook.js vendure/*.js vendure/*.json medusa/*.js medusa/*.json shopify/*.json
var sources embed.FS

// ErrNotInstalled says that a shop's packages are not in the cache. The text of
// an error that wraps it names the command that installs them.
var ErrNotInstalled = errors.New("not installed")

// install is one kind of shop as the install script leaves it in the cache.
type install struct {
	name     string
	packages []string // files that name the directory that holds node_modules
	app      []string // files that name the directory in it that holds what is run
}

var (
	vendureInstall = install{
		name:     "vendure",
		packages: []string{"package.json", "package-lock.json", "sample.json"},
		app:      []string{"config.js", "hook.js", "populate.js", "server.js", "../webhook.js"},
	}
	medusaInstall = install{
		name:     "medusa",
		packages: []string{"package.json", "package-lock.json"},
		app:      []string{"medusa-config.js", "hooks.js", "../webhook.js"},
	}
	shopifyInstall = install{name: "shopify", packages: []string{"schema.json"}}
)

// dir returns the directory of the installed packages, whether it exists or not.
func (i install) dir() (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	digest, err := i.digest(i.packages)
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "shops", i.name+"-"+digest), nil
}

// appDir returns the directory with the scripts and prepared databases. It
// fails with [ErrNotInstalled] when the install script has not made it.
func (i install) appDir() (string, error) {
	dir, err := i.dir()
	if err != nil {
		return "", err
	}
	digest, err := i.digest(i.app)
	if err != nil {
		return "", err
	}
	app := filepath.Join(dir, "app-"+digest)
	if _, err := os.Stat(app); err != nil {
		return "", fmt.Errorf("shops: %s is %w (no %s): run hack/shops/install.sh %s", i.name, ErrNotInstalled, app, i.name)
	}
	return app, nil
}

func (i install) digest(files []string) (string, error) {
	sum := sha256.New()
	for _, name := range files {
		content, err := sources.ReadFile(path.Join(i.name, name))
		if err != nil {
			return "", fmt.Errorf("shops: embedded file: %w", err)
		}
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

// cacheDir is where the install script keeps what it installs.
func cacheDir() (string, error) {
	if dir := os.Getenv("SELARAS_CACHE"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "selaras"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("shops: no cache directory: set SELARAS_CACHE: %w", err)
	}
	return filepath.Join(home, ".cache", "selaras"), nil
}

// VendureInstalled returns nil when a Vendure shop can start, else an error
// that wraps [ErrNotInstalled] and says how to install it.
func VendureInstalled() error {
	_, err := vendureInstall.appDir()
	return err
}

// MedusaInstalled returns nil when a Medusa shop can start, else an error that
// wraps [ErrNotInstalled] and says how to install it.
func MedusaInstalled() error {
	_, err := medusaInstall.appDir()
	return err
}

// ShopifySchema returns the file of the schema that Shopify publishes of its
// Admin API, an introspection in JSON, compressed; else an error that wraps
// [ErrNotInstalled] and says how to install it.
func ShopifySchema() (string, error) {
	dir, err := shopifyInstall.dir()
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "admin_2026-10.json.gz")
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("shops: the schema of Shopify is %w (no %s): run hack/shops/install.sh shopify", ErrNotInstalled, file)
	}
	return file, nil
}
