//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/metrics"
)

// mountedWithin bounds the time until a kubelet has brought a changed Secret
// into a running pod: it looks about once a minute.
const mountedWithin = 3 * time.Minute

// A password is changed in the shop and in the Secret, and then the user is
// replaced by another: the connector goes over to both in process, and no
// change is lost by it (I1, I2, I3).
func TestSecretRotated(t *testing.T) {
	t.Parallel()
	p := cluster.newPlace(t)
	sells, skus := probed("rotated")
	var web, till *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", sells...) },
		func() { till = p.vendure(t, "till") },
	)
	const first, second = "first@shop.test", "second@shop.test"
	admin := till.people.(vendurePeople).api
	do(t, admin.CreateAdministrator(t.Context(), first, rand.Text()))
	newPassword := func(user string) map[string]string {
		password := rand.Text()
		do(t, admin.SetAdministratorPassword(t.Context(), user, password))
		return map[string]string{"username": user, "password": password}
	}
	till.credentials = newPassword(first)
	p.channel(t, "web", web, nil)
	channel := p.channel(t, "till", till, nil)
	p.inSync(t, p.sync(t, "main", "web", "till"))
	within(t, soon, "the fill", same(web, till))
	before := p.workloads(t)
	prober := probe(t, skus, web, till)

	environment.Test(t, features.New("a Secret").
		Assess("with a new password is picked up", amid(prober, func(t *testing.T) {
			logins := p.logins(t, "till")
			p.secret(t, "till", newPassword(first))
			p.loggedIn(t, "till", logins)
		})).
		Assess("with another user is picked up", amid(prober, func(t *testing.T) {
			logins := p.logins(t, "till")
			do(t, admin.CreateAdministrator(t.Context(), second, rand.Text()))
			p.secret(t, "till", newPassword(second))
			p.remount(t, "till")
			p.loggedIn(t, "till", logins)
			do(t, admin.DeleteAdministrator(t.Context(), first))
		})).
		Assess("is accepted", step(func(t *testing.T) {
			p.shows(t, channel, selarasv1alpha1.ConditionCredentialsValid, "True/Valid", "")
		})).
		Assess("costs no change", step(prober.finish)).
		Assess("costs no restart", step(func(t *testing.T) { p.sameWorkloads(t, before) })).
		Feature())
}

// logins counts how often the connector of a Channel has proven itself to the
// shop.
func (p *place) logins(t *testing.T, channel string) float64 {
	t.Helper()
	n, err := p.loginsNow(t.Context(), channel)
	do(t, err)
	return n
}

func (p *place) loginsNow(ctx context.Context, channel string) (float64, error) {
	scraped, err := p.connectorMetrics(ctx, channel)
	if err != nil {
		return 0, err
	}
	return scraped.one(metrics.APIRequests.Name, map[string]string{"operation": "account", "outcome": "ok"})
}

// loggedIn waits until the connector has proven itself anew.
func (p *place) loggedIn(t *testing.T, channel string, before float64) {
	t.Helper()
	took := within(t, mountedWithin, "a new login of "+channel, func(ctx context.Context) error {
		now, err := p.loginsNow(ctx, channel)
		if err == nil && now <= before {
			err = fmt.Errorf("there were %v before and are %v", before, now)
		}
		return err
	})
	t.Logf("picked up after %s", took.Round(100*time.Millisecond))
}

// remount makes the kubelet look at the Secrets of a connector at once, as it
// does whenever the pod changes, instead of within the minute.
func (p *place) remount(t *testing.T, channel string) {
	t.Helper()
	pod := p.onlyPod(t, p.namespace, instance(channel+"-connector"))
	change(t, p.world, pod, func(pod *corev1.Pod) {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "e2e.selaras.dev/remount", shortID())
	})
}

// A Secret that is missing, lacks a key, is wrong and is right; and then is
// wrong and missing under a connector that works, which lowers Ready no more.
// None of its values is told anywhere (I9).
func TestSecretWrongThenRight(t *testing.T) {
	t.Parallel()
	p := cluster.newPlace(t)
	var web, till *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", products("secret", 4, 20)...) },
		func() { till = p.vendure(t, "till") },
	)
	const user = "selaras@shop.test"
	right := map[string]string{"username": user, "password": "right-" + rand.Text()}
	wrong := map[string]string{"username": user, "password": "wrong-" + rand.Text()}
	do(t, till.people.(vendurePeople).api.CreateAdministrator(t.Context(), user, right["password"]))
	p.channel(t, "web", web, nil)
	channel, sync := p.makeChannel("till", till), p.sync(t, "main", "web", "till")
	p.create(t, channel)

	refused := func(values map[string]string, reason, says, ready string) {
		t.Helper()
		if values == nil {
			do(t, p.kube.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "till-credentials"}}))
		} else {
			p.secret(t, "till", values)
		}
		p.remount(t, "till")
		p.shows(t, channel, selarasv1alpha1.ConditionCredentialsValid, "False/"+reason, says)
		p.shows(t, channel, selarasv1alpha1.ConditionReady, ready, "")
		p.told(t, channel, "Warning", reason)
	}
	accepted := func(price int64) {
		t.Helper()
		p.secret(t, "till", right)
		p.remount(t, "till")
		p.shows(t, channel, selarasv1alpha1.ConditionCredentialsValid, "True/Valid", "")
		p.inSync(t, sync)
		within(t, soon, "the price", showing(till, "secret-0", shown{price, 20}))
	}
	writeless := func(price int64) {
		t.Helper()
		writes := p.writes(t, "till")
		do(t, web.setPrice(t.Context(), "secret-0", price))
		p.shows(t, sync, selarasv1alpha1.ConditionInSync, "False/", "")
		p.lagGrows(t, "till", 5*time.Second)
		if now := p.writes(t, "till"); now != writes {
			t.Errorf("without credentials the connector has made %v writes", now-writes)
		}
	}
	var before map[string]life

	environment.Test(t, features.New("a Secret").
		Assess("that is missing is told", step(func(t *testing.T) {
			p.shows(t, channel, selarasv1alpha1.ConditionCredentialsValid, "False/SecretMissing", "spec.credentialsRef")
			p.shows(t, channel, selarasv1alpha1.ConditionReady, "False/SecretMissing", "")
			p.told(t, channel, "Warning", selarasv1alpha1.ReasonSecretMissing)
			before = p.workloads(t)
		})).
		Assess("that lacks a key is told", step(func(t *testing.T) {
			refused(map[string]string{"username": user}, "KeyMissing", "password", "False/KeyMissing")
		})).
		Assess("that is wrong is told", step(func(t *testing.T) { refused(wrong, "Unauthorized", "", "False/Unauthorized") })).
		Assess("that is right lets the shop be filled", step(func(t *testing.T) { accepted(1000) })).
		Assess("that becomes wrong stops the writes alone", step(func(t *testing.T) {
			refused(wrong, "Unauthorized", "", "True/Succeeded")
			writeless(2001)
			p.shows(t, channel, selarasv1alpha1.ConditionReady, "True/Succeeded", "")
		})).
		Assess("that is right again heals", step(func(t *testing.T) { accepted(2001) })).
		Assess("that is deleted stops the writes alone", step(func(t *testing.T) {
			refused(nil, "SecretMissing", "", "True/Succeeded")
			writeless(2002)
		})).
		Assess("that is there again heals", step(func(t *testing.T) { accepted(2002) })).
		Assess("restarts nothing", step(func(t *testing.T) { p.sameWorkloads(t, before) })).
		Assess("is told nowhere", step(func(t *testing.T) {
			p.keptSecret(t, right["password"], wrong["password"])
		})).
		Feature())
}

// keptSecret fails when a value, or a credential for the hub, is in a log, an
// event, a resource or a metric of the place or of the system.
func (p *place) keptSecret(t *testing.T, values ...string) {
	t.Helper()
	var list corev1.SecretList
	do(t, p.kube.List(t.Context(), &list, client.InNamespace(p.namespace)))
	for _, secret := range list.Items {
		for _, line := range strings.Split(string(secret.Data["user.creds"]), "\n") {
			if len(line) > 40 && !strings.Contains(line, " ") { // the token and the seed, not the words around them
				values = append(values, line)
			}
		}
	}
	dir := t.TempDir()
	for _, line := range p.collectInto(dir, p.namespace, systemNamespace) {
		t.Log(line)
	}
	looked := 0
	do(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		looked++
		for i, value := range values {
			if bytes.Contains(text, []byte(value)) || bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString([]byte(value)))) {
				t.Errorf("%s tells secret value %d of %d", strings.TrimPrefix(path, dir), i+1, len(values))
			}
		}
		return nil
	}))
	if looked < 10 || len(values) < 4 {
		t.Errorf("%d files were searched for %d values: that proves little", looked, len(values))
	}
}
