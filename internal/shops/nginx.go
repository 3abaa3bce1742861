package shops

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Limiter is an nginx in front of a shop. It answers 429 with Retry-After: 1
// to a session that calls too fast, 504 when the shop does not answer in time
// and 502 when it is down, as the proxies of real shops do.
type Limiter struct {
	dir     string
	port    int
	process *process
}

// LimiterOptions say what a limiter lets through.
type LimiterOptions struct {
	Upstream string        // the shop, http://host:port
	Rate     int           // calls per second of one Authorization header; calls without one pass
	Burst    int           // calls above the rate that still pass at once
	Timeout  time.Duration // of the shop's answer; default 5 s
}

const limiterConfig = `
worker_processes 1;
pid %[1]s/pid;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  client_max_body_size 16m;
  limit_req_zone $http_authorization zone=session:1m rate=%[4]dr/s;
  limit_req_status 429;
  server {
    listen 127.0.0.1:%[2]d;
    location / {
      limit_req zone=session burst=%[5]d nodelay;
      proxy_pass %[3]s;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout %[6]dms;
      proxy_read_timeout %[6]dms;
    }
    error_page 429 = @limited;
    location @limited {
      default_type text/plain;
      add_header Retry-After 1 always;
      return 429 "too many requests\n";
    }
  }
}
`

// StartNginxLimiter starts a limiter and returns when it accepts connections.
// The context bounds the start only. It fails with [ErrNotInstalled] when nginx
// is missing.
func StartNginxLimiter(ctx context.Context, options LimiterOptions) (_ *Limiter, err error) {
	nginx, err := nginxPath()
	if err != nil {
		return nil, err
	}
	if options.Timeout == 0 {
		options.Timeout = 5 * time.Second
	}
	l := &Limiter{}
	if l.dir, err = os.MkdirTemp("", "selaras-nginx-"); err != nil {
		return nil, fmt.Errorf("shops: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(l.dir)
		}
	}()
	for attempt := 1; ; attempt++ {
		if err = l.start(ctx, nginx, options); err == nil {
			return l, nil
		}
		if attempt == 3 || !strings.Contains(err.Error(), "bind()") {
			return nil, err
		}
	}
}

func nginxPath() (string, error) {
	// Debian installs it where the PATH of ordinary users does not look.
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("shops: nginx is %w: run hack/shops/install.sh nginx", ErrNotInstalled)
}

func (l *Limiter) start(ctx context.Context, nginx string, options LimiterOptions) (err error) {
	if l.port, err = freePort(); err != nil {
		return err
	}
	config := fmt.Sprintf(limiterConfig, l.dir, l.port, options.Upstream, options.Rate, options.Burst,
		options.Timeout.Milliseconds())
	if err := writeWhole(filepath.Join(l.dir, "nginx.conf"), []byte(config)); err != nil {
		return err
	}
	// One process without a master, so that nothing outlives it.
	l.process, err = command{
		name: "nginx on " + loopback(l.port), path: nginx, dir: l.dir, env: baseEnvironment(),
		args: []string{
			"-e", "stderr", "-p", l.dir, "-c", filepath.Join(l.dir, "nginx.conf"),
			"-g", "daemon off; master_process off; error_log stderr error;",
		},
	}.start()
	if err != nil {
		return err
	}
	return l.process.await(ctx, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", loopback(l.port))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// URL is the limiter's address: http://127.0.0.1:port.
func (l *Limiter) URL() string { return "http://" + loopback(l.port) }

// Freeze stops the limiter's execution: the network between connector and shop
// hangs. Thaw lets it go on.
func (l *Limiter) Freeze() { l.process.signal(syscall.SIGSTOP) }

// Thaw ends a Freeze.
func (l *Limiter) Thaw() { l.process.signal(syscall.SIGCONT) }

// Close stops the limiter.
func (l *Limiter) Close() error {
	l.process.end()
	return os.RemoveAll(l.dir)
}

// NginxInstalled returns nil when a limiter can start, else an error that wraps
// [ErrNotInstalled] and says how to install it.
func NginxInstalled() error {
	_, err := nginxPath()
	return err
}
