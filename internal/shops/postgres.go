package shops

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// postgresUser owns the databases of a private server.
const postgresUser = "selaras"

// PostgresOptions say how a private PostgreSQL server starts.
type PostgresOptions struct {
	Log io.Writer // gets what the server prints; default: nowhere
}

// Postgres is a private PostgreSQL server on loopback, with its data in a
// temporary directory. It does not wait for the disk: its data survives the end
// of any process, not of the machine.
type Postgres struct {
	options PostgresOptions
	bin     string
	dir     string
	port    int
	owner   *syscall.Credential // nil: the caller's

	mu        sync.Mutex
	process   *process
	templates map[string]bool // databases that are complete and may be copied
}

// StartPostgres creates and starts a server, which takes about 2 seconds. The
// context bounds the start only. It fails with [ErrNotInstalled] when Debian's
// package is missing. As root, which PostgreSQL refuses, it runs as the user
// that the package made.
func StartPostgres(ctx context.Context, options PostgresOptions) (_ *Postgres, err error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	p := &Postgres{options: options, bin: bin, templates: map[string]bool{}}
	if p.owner, err = unprivileged("postgres"); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "selaras-postgres-"); err != nil {
		return nil, fmt.Errorf("shops: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(p.dir)
		}
	}()
	if p.owner != nil {
		if err := os.Chown(p.dir, int(p.owner.Uid), int(p.owner.Gid)); err != nil {
			return nil, fmt.Errorf("shops: %w", err)
		}
	}
	initdb := p.tool("initdb", "--pgdata="+p.data(), "--username="+postgresUser, "--auth=trust",
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.user = p.owner
	if err := initdb.run(ctx); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		if p.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = p.Start(ctx); err == nil {
			return p, nil
		}
		if attempt == 3 || !strings.Contains(err.Error(), "could not bind") {
			return nil, err
		}
	}
}

// postgresBin finds the newest server that Debian or the PATH has.
func postgresBin() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return majorOf(a) - majorOf(b) })
		return filepath.Dir(newest), nil
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", fmt.Errorf("shops: postgres is %w: run hack/shops/install.sh postgres", ErrNotInstalled)
}

func majorOf(server string) int {
	major, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(server))))
	return major
}

// unprivileged returns the credential of a system user when this process is
// root, else nil.
func unprivileged(name string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nil is the credential that changes nothing
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("shops: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("shops: user %s: %w", name, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("shops: user %s: %w", name, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// tool is one of PostgreSQL's programs, connected to this server by its
// environment once it has a port.
func (p *Postgres) tool(name string, args ...string) command {
	c := command{
		name: name, path: filepath.Join(p.bin, name), args: args, dir: p.dir, env: baseEnvironment(),
		log: p.options.Log,
	}
	if p.port != 0 {
		c.env = append(c.env, "PGHOST=127.0.0.1", "PGPORT="+strconv.Itoa(p.port), "PGUSER="+postgresUser)
	}
	return c
}

// Start starts a stopped server again on its data and port.
func (p *Postgres) Start(ctx context.Context) error {
	c := p.tool("postgres", "-D", p.data(), "-p", strconv.Itoa(p.port))
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=" + p.dir, "max_connections=200",
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "log_line_prefix=", "log_timezone=UTC",
	} {
		c.args = append(c.args, "-c", setting)
	}
	c.name = "postgres on " + loopback(p.port)
	c.user = p.owner
	c.stop = syscall.SIGINT        // end sessions, do not wait for clients to leave
	c.parentDied = syscall.SIGQUIT // the server ends its children itself
	c.ready = "LOG:  database system is ready to accept connections"
	server, err := c.start()
	if err != nil {
		return err
	}
	if err := server.awaitReady(ctx); err != nil {
		server.kill()
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.process = server
	return nil
}

// Stop ends the server as an outage does: open connections break, new ones are
// refused. Start ends the outage.
func (p *Postgres) Stop() {
	p.mu.Lock()
	server := p.process
	p.process = nil
	p.mu.Unlock()
	if server != nil {
		server.end()
	}
}

// Close stops the server and removes its data.
func (p *Postgres) Close() error {
	p.Stop()
	return os.RemoveAll(p.dir)
}

// URL returns the connection URL of one of the server's databases.
func (p *Postgres) URL(database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s", postgresUser, loopback(p.port), database)
}

// CreateDatabase makes an empty database and returns its name.
func (p *Postgres) CreateDatabase(ctx context.Context) (string, error) {
	return p.copyDatabase(ctx, "template1")
}

func (p *Postgres) copyDatabase(ctx context.Context, template string) (string, error) {
	name := "db_" + strings.ToLower(rand.Text()[:12])
	return name, p.tool("createdb", "--template="+template, name).run(ctx)
}

// prepared returns a new copy of a database that fill makes once: first from
// the cached dump, if there is one, else with fill, and then the dump is
// cached.
func (p *Postgres) prepared(ctx context.Context, template, dump string, fill func(database string) error) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.templates[template] {
		if err := p.tool("dropdb", "--if-exists", template).run(ctx); err != nil {
			return "", err
		}
		if err := p.tool("createdb", template).run(ctx); err != nil {
			return "", err
		}
		if err := p.restore(ctx, template, dump, fill); err != nil {
			return "", err
		}
		p.templates[template] = true
	}
	return p.copyDatabase(ctx, template)
}

func (p *Postgres) restore(ctx context.Context, database, dump string, fill func(string) error) error {
	if _, err := os.Stat(dump); err == nil {
		return p.tool("psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--output=/dev/null",
			"--single-transaction", "--file="+dump, database).run(ctx)
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("shops: %w", err)
	}
	if err := fill(database); err != nil {
		return err
	}
	partial := fmt.Sprintf("%s.%d", dump, os.Getpid())
	if err := p.tool("pg_dump", "--no-owner", "--file="+partial, database).run(ctx); err != nil {
		return err
	}
	if err := os.Rename(partial, dump); err != nil {
		return fmt.Errorf("shops: %w", err)
	}
	return nil
}

// dumpName is where the cache keeps a prepared database; another version of
// PostgreSQL may not read it.
func (p *Postgres) dumpName(app, name string) string {
	return filepath.Join(app, fmt.Sprintf("%s-pg%d.sql", name, majorOf(filepath.Join(p.bin, "postgres"))))
}

// vendureDatabase makes a new database with a catalogue for a Vendure shop.
func (p *Postgres) vendureDatabase(ctx context.Context, app string, catalogue Catalogue) (string, error) {
	name := string(catalogue)
	return p.prepared(ctx, "vendure_"+name, p.dumpName(app, name), func(database string) error {
		node, err := exec.LookPath("node")
		if err != nil {
			return fmt.Errorf("shops: Vendure needs Node.js 20 or newer: %w", err)
		}
		sample := filepath.Join(filepath.Dir(app), "sample")
		return command{
			name: "vendure's populate.js", path: node, dir: p.dir,
			args: []string{filepath.Join(app, "populate.js"), name, sample},
			env: append(baseEnvironment(), "DATABASE_URL="+p.URL(database),
				"SUPERADMIN_USERNAME=superadmin", "SUPERADMIN_PASSWORD=superadmin"),
			log: p.options.Log,
		}.run(ctx)
	})
}

// PostgresInstalled returns nil when a PostgreSQL server can start, else an
// error that wraps [ErrNotInstalled] and says how to install it.
func PostgresInstalled() error {
	_, err := postgresBin()
	return err
}
