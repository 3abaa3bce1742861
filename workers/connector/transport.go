package connector

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// wire is what shapes the connection to the channel, beside its address.
type wire struct {
	proxyURL, serverName string
	// caBundle is PEM; certificate and key are the client's, PEM. Empty where
	// there is none.
	caBundle, certificate, key []byte
}

// readWire reads the mounted files; absent ones are empty.
func readWire(proxyURL, serverName, caBundleFile, clientCertDir string) (wire, error) {
	w := wire{proxyURL: proxyURL, serverName: serverName}
	for _, f := range []struct {
		path string
		into *[]byte
	}{
		{caBundleFile, &w.caBundle},
		{inDir(clientCertDir, "tls.crt"), &w.certificate},
		{inDir(clientCertDir, "tls.key"), &w.key},
	} {
		if f.path == "" {
			continue
		}
		b, err := os.ReadFile(f.path)
		if err != nil && !os.IsNotExist(err) {
			return wire{}, fmt.Errorf("read the mounted TLS file: %w", err)
		}
		*f.into = b
	}
	return w, nil
}

func inDir(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

func (w wire) equal(o wire) bool {
	return w.proxyURL == o.proxyURL && w.serverName == o.serverName && string(w.caBundle) == string(o.caBundle) &&
		string(w.certificate) == string(o.certificate) && string(w.key) == string(o.key)
}

// transport makes the HTTP transport of a connection.
func (w wire) transport() (*http.Transport, error) {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: w.serverName},
	}
	if w.proxyURL != "" {
		u, err := url.Parse(w.proxyURL)
		if err != nil {
			return nil, fmt.Errorf("proxy URL: %w", err)
		}
		t.Proxy = http.ProxyURL(u)
	}
	if len(w.caBundle) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(w.caBundle) {
			return nil, fmt.Errorf("the CA bundle holds no PEM certificate")
		}
		t.TLSClientConfig.RootCAs = pool
	}
	if len(w.certificate) > 0 || len(w.key) > 0 {
		pair, err := tls.X509KeyPair(w.certificate, w.key)
		if err != nil {
			return nil, fmt.Errorf("client certificate (tls.crt, tls.key): %w", err)
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
