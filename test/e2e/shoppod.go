package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"selaras.dev/selaras/internal/shops"
)

const (
	// shopsNamespace holds the shops of all cases.
	shopsNamespace = "shops"
	shopPort       = 3000
	// shopUser is the user of the shops' image.
	shopUser = 65532
	// shopStart bounds the start of a shop while other cases start theirs.
	shopStart = 3 * time.Minute

	vendureUser, vendurePassword = "superadmin", "superadmin"
	medusaUser, medusaPassword   = "admin@shop.test", "supersecret"
)

func shortID() string { return strings.ToLower(rand.Text()[:6]) }

// sideBySide runs the starts of several shops at once, because each spends
// part of its time waiting.
func sideBySide(t *testing.T, starts ...func()) {
	t.Helper()
	var all sync.WaitGroup
	for _, start := range starts {
		all.Go(start)
	}
	all.Wait()
	if t.Failed() {
		t.FailNow() // one of them did, in its own goroutine
	}
}

// vendure starts a Vendure shop that sells the products, and ends with the
// test.
func (p *place) vendure(t *testing.T, name string, sells ...product) *shop {
	t.Helper()
	s, address := p.startShop(t, "vendure", name, map[string]string{
		"SUPERADMIN_USERNAME": vendureUser, "SUPERADMIN_PASSWORD": vendurePassword,
		"CHANNEL_TOKEN": strings.ToLower(rand.Text()),
	})
	api := shops.NewVendureAPI(address, vendureUser, vendurePassword)
	s.people, s.endpoint = vendurePeople{api}, s.endpoint+"/admin-api"
	s.credentials = map[string]string{"username": vendureUser, "password": vendurePassword}
	s.open(t, func(ctx context.Context) error { return api.UseCurrency(ctx, currency) }, sells)
	return s
}

// medusa starts a Medusa shop with a database of its own that sells the
// products, and ends with the test.
func (p *place) medusa(t *testing.T, name string, sells ...product) *shop {
	t.Helper()
	s, address := p.startShop(t, "medusa", name, map[string]string{"JWT_SECRET": rand.Text(), "COOKIE_SECRET": rand.Text()})
	api := shops.NewMedusaAPI(address, medusaUser, medusaPassword)
	s.people = medusaPeople{api}
	s.credentials = map[string]string{"email": medusaUser, "password": medusaPassword}
	s.open(t, api.Login, sells)
	return s
}

// open prepares a shop that has just started.
func (s *shop) open(t *testing.T, prepare func(context.Context) error, sells []product) {
	t.Helper()
	within(t, soon, "first call of "+s.name, prepare)
	if len(sells) == 0 {
		return
	}
	if err := s.sell(t.Context(), sells...); err != nil {
		t.Fatalf("selling in %s: %v", s.name, err)
	}
}

// startShop starts a pod and a Service with the shop, and returns when its
// health check passes, with its address from here.
func (p *place) startShop(t *testing.T, kind, name string, environment map[string]string) (*shop, string) {
	t.Helper()
	unique := name + "-" + shortID()
	pod, service := shopPod(p.shopsImage, kind, unique, environment), shopService(unique)
	p.create(t, pod, service)
	p.closing(pod, service)
	within(t, shopStart, "start of shop "+name, func(ctx context.Context) error {
		if err := p.kube.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		if why := podTrouble(pod); why != "" {
			return fmt.Errorf("%s", why)
		}
		return nil
	})
	s := &shop{
		name: name, kind: kind, endpoint: fmt.Sprintf("http://%s.%s.svc:%d", unique, shopsNamespace, shopPort),
		control: control{p.world, unique},
	}
	return s, p.forward(t, shopsNamespace, unique, shopPort)
}

func shopPod(image, kind, name string, environment map[string]string) *corev1.Pod {
	labels := map[string]string{"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": name}
	container := corev1.Container{
		Name: "shop", Image: image, Args: []string{kind},
		Env:   []corev1.EnvVar{{Name: "PORT", Value: fmt.Sprint(shopPort)}},
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: shopPort}},
		StartupProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/health", Port: intstr.FromString("http")}},
			PeriodSeconds: 1, TimeoutSeconds: 5, FailureThreshold: 170,
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}, {Name: "tmp", MountPath: "/tmp"}},
		Resources:    corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	for name, value := range environment {
		container.Env = append(container.Env, corev1.EnvVar{Name: name, Value: value})
	}
	empty := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: shopsNamespace, Name: name, Labels: labels},
		Spec: corev1.PodSpec{
			Containers:                    []corev1.Container{container},
			Volumes:                       []corev1.Volume{{Name: "data", VolumeSource: empty}, {Name: "tmp", VolumeSource: empty}},
			AutomountServiceAccountToken:  ptr(false),
			EnableServiceLinks:            ptr(false),
			TerminationGracePeriodSeconds: ptr(int64(1)),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr(true), RunAsUser: ptr(int64(shopUser)), FSGroup: ptr(int64(shopUser)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
		},
	}
}

// shopService leads to a shop also while it does not answer: a shop that is
// down refuses connections, a frozen one leaves them waiting.
func shopService(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: shopsNamespace, Name: name},
		Spec: corev1.ServiceSpec{
			Selector:                 map[string]string{"app.kubernetes.io/instance": name},
			Ports:                    []corev1.ServicePort{{Name: "http", Port: shopPort, TargetPort: intstr.FromString("http")}},
			PublishNotReadyAddresses: true,
		},
	}
}

// control stops and starts a shop in its pod, with all of its data.
type control struct {
	world *world
	pod   string
}

// stop ends the shop: connections are refused until start.
func (c control) stop(t *testing.T) { t.Helper(); c.do(t, "stop") }

// start ends a stop.
func (c control) start(t *testing.T) { t.Helper(); c.do(t, "start") }

// freeze halts the shop: connections are accepted, nothing answers until thaw.
func (c control) freeze(t *testing.T) { t.Helper(); c.do(t, "freeze") }

// thaw ends a freeze.
func (c control) thaw(t *testing.T) { t.Helper(); c.do(t, "thaw") }

func (c control) do(t *testing.T, what string) {
	t.Helper()
	if _, err := c.world.exec(t.Context(), shopsNamespace, c.pod, "shop", "/shops/shop", what); err != nil {
		t.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }
