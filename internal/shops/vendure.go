package shops

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Catalogue names what a new shop sells.
type Catalogue string

// The catalogues a Vendure shop can start with. All have zones, taxes, one
// stock location, two shipping methods and a payment method that authorizes
// every payment.
const (
	Full  Catalogue = "full"  // Vendure's sample: 54 products, 88 variants, in USD
	Empty Catalogue = "empty" // nothing to sell yet
	Large Catalogue = "large" // 1,200 variants, SKUs NB-0000 to NB-1199, for paging
)

// VendureOptions say how a Vendure shop starts. The zero value is a shop with
// the full catalogue on a sql.js database in a directory that Close removes.
type VendureOptions struct {
	Catalogue Catalogue // of a new shop; default Full
	// Dir keeps the shop's data, address and credentials. A shop started again
	// on it continues where it was. Default: a temporary directory.
	Dir string
	// Postgres makes the shop keep its data in a new database of this server
	// instead of a sql.js file, for tests that write in parallel or stop the
	// database.
	Postgres *Postgres
	// Log gets what the server prints; default: nowhere.
	Log io.Writer
}

// Vendure is a running or stopped Vendure shop. Its methods may be called
// concurrently, except those that start and stop it.
type Vendure struct {
	server
	VendureAPI
	options  VendureOptions
	app      string // scripts and prepared databases
	dir      string
	settings vendureSettings
}

// vendureSettings are what a shop keeps between runs.
type vendureSettings struct {
	Port         int    `json:"port"`
	Username     string `json:"username"`
	Password     string `json:"password"`
	ChannelToken string `json:"channelToken"`
	Database     string `json:"database,omitempty"` // PostgreSQL database; empty: sql.js
}

const (
	settingsFile = "shop.json"
	sqljsFile    = "shop.sqlite"
)

// StartVendure starts a shop and returns when it answers, which takes 3 to 10
// seconds. The context bounds the start only. It fails with [ErrNotInstalled]
// when the packages are missing.
func StartVendure(ctx context.Context, options VendureOptions) (_ *Vendure, err error) {
	app, err := vendureInstall.appDir()
	if err != nil {
		return nil, err
	}
	if options.Catalogue == "" {
		options.Catalogue = Full
	}
	v := &Vendure{options: options, app: app, dir: options.Dir}
	if v.dir == "" {
		if v.dir, err = os.MkdirTemp("", "selaras-vendure-"); err != nil {
			return nil, fmt.Errorf("shops: %w", err)
		}
		defer func() {
			if err != nil {
				_ = os.RemoveAll(v.dir)
			}
		}()
	}
	known, err := v.loadSettings()
	if err != nil {
		return nil, err
	}
	if !known {
		if err := v.create(ctx); err != nil {
			return nil, err
		}
	}
	for attempt := 1; ; attempt++ {
		err := v.Start(ctx)
		if err == nil {
			return v, nil
		}
		if known || attempt == 3 || !strings.Contains(err.Error(), "EADDRINUSE") {
			return nil, err
		}
		if err := v.choosePort(); err != nil {
			return nil, err
		}
	}
}

func (v *Vendure) loadSettings() (known bool, err error) {
	content, err := os.ReadFile(filepath.Join(v.dir, settingsFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("shops: %w", err)
	}
	if err := json.Unmarshal(content, &v.settings); err != nil {
		return false, fmt.Errorf("shops: %s: %w", filepath.Join(v.dir, settingsFile), err)
	}
	if (v.settings.Database != "") != (v.options.Postgres != nil) {
		return false, fmt.Errorf("shops: the shop in %s was made for another kind of database", v.dir)
	}
	return true, nil
}

// create makes the database, the address and the credentials of a new shop.
// The settings are written last: a directory without them is made anew.
func (v *Vendure) create(ctx context.Context) error {
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return fmt.Errorf("shops: %w", err)
	}
	if pg := v.options.Postgres; pg != nil {
		database, err := pg.vendureDatabase(ctx, v.app, v.options.Catalogue)
		if err != nil {
			return err
		}
		v.settings.Database = database
	} else if err := copyFile(v.file(string(v.options.Catalogue)+".sqlite", v.app), v.file(sqljsFile, v.dir)); err != nil {
		return err
	}
	v.settings.Username = "superadmin"
	// The prepared databases hold this superadmin; Vendure does not change the
	// password of one that exists.
	v.settings.Password = "superadmin"
	v.settings.ChannelToken = strings.ToLower(rand.Text())
	return v.choosePort()
}

func (v *Vendure) file(name, dir string) string { return filepath.Join(dir, name) }

func (v *Vendure) choosePort() error {
	port, err := freePort()
	if err != nil {
		return err
	}
	v.settings.Port = port
	content, err := json.Marshal(v.settings)
	if err != nil {
		return fmt.Errorf("shops: %w", err)
	}
	return writeWhole(v.file(settingsFile, v.dir), content)
}

// Start starts a stopped or killed shop again, on its data and its address, and
// returns when it answers.
func (v *Vendure) Start(ctx context.Context) error {
	node, err := exec.LookPath("node")
	if err != nil {
		return fmt.Errorf("shops: Vendure needs Node.js 20 or newer: %w", err)
	}
	c := command{
		name: "vendure on " + loopback(v.settings.Port), path: node,
		args: []string{filepath.Join(v.app, "server.js")}, dir: v.dir,
		env: append(baseEnvironment(),
			"PORT="+strconv.Itoa(v.settings.Port),
			"SUPERADMIN_USERNAME="+v.settings.Username,
			"SUPERADMIN_PASSWORD="+v.settings.Password,
			"CHANNEL_TOKEN="+v.settings.ChannelToken,
			"HOOK_FILE="+webhookFile(v.dir)),
		ready: "ready", log: v.options.Log,
	}
	if v.settings.Database != "" {
		c.env = append(c.env, "DATABASE_URL="+v.options.Postgres.URL(v.settings.Database))
	} else {
		c.env = append(c.env, "SQLJS_FILE="+v.file(sqljsFile, v.dir))
	}
	p, err := c.start()
	if err != nil {
		return err
	}
	if err := p.awaitReady(ctx); err != nil {
		p.kill()
		return err
	}
	if url := "http://" + loopback(v.settings.Port); v.URL() != url {
		v.VendureAPI = *NewVendureAPI(url, v.settings.Username, v.settings.Password)
	}
	v.started(p)
	return nil
}

// ChannelToken is the token of the shop's default channel, unique to the shop.
func (v *Vendure) ChannelToken() string { return v.settings.ChannelToken }

// Restart is Stop and Start.
func (v *Vendure) Restart(ctx context.Context) error {
	v.Stop()
	return v.Start(ctx)
}

// Close stops the server and, unless the options named a directory, removes
// its data.
func (v *Vendure) Close() error {
	v.Stop()
	if v.options.Dir != "" {
		return nil
	}
	return os.RemoveAll(v.dir)
}

// SetWebhook makes the shop send its events to url, signed with secret
// ("whsec_" and base64) after the Standard Webhooks specification; an empty url
// ends that. It holds from the next event on, and over restarts.
func (v *Vendure) SetWebhook(url, secret string) error {
	return writeWebhook(v.dir, url, secret)
}
