package runner

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const dialTimeout = 5 * time.Second

// proxy forwards the TCP ports of Services to ready pods in turn, at two
// addresses: the cluster IP, and the one that stands for the Service's name.
// Names have their own address so that a process can be given one before the
// Service exists, and so that a headless Service's clients need not be restarted
// when its pod is.
type proxy struct {
	runner *Runner
	wake   chan struct{}
	open   map[forward]*forwarder
	tasks  sync.WaitGroup
}

// forward is one port of one Service; failed listens are kept to be reported once.
type forward struct {
	namespace, service string
	listen             string
	port               string // the Service's port by number
}

type forwarder struct {
	listener net.Listener // nil when listening failed
	next     atomic.Uint64
}

func newProxy(r *Runner) *proxy {
	return &proxy{runner: r, wake: make(chan struct{}, 1), open: map[forward]*forwarder{}}
}

func (p *proxy) serviceChanged(any) {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run keeps the listeners as the Services say until ctx ends.
func (p *proxy) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			for key := range p.open {
				p.closeForward(key)
			}
			p.tasks.Wait()
			return
		case <-p.wake:
			p.reconcile(ctx)
		}
	}
}

func (p *proxy) reconcile(ctx context.Context) {
	services, err := p.runner.services.List(everything)
	if err != nil {
		p.runner.log.Warn("list services", "error", err)
		return
	}
	wanted := map[forward]*corev1.Service{}
	for _, service := range services {
		if len(service.Spec.Selector) == 0 {
			continue // external, or the API server's own
		}
		for _, address := range p.runner.serviceAddresses(service) {
			for _, port := range service.Spec.Ports {
				if port.Protocol == corev1.ProtocolTCP {
					number := strconv.Itoa(int(port.Port))
					wanted[forward{service.Namespace, service.Name, net.JoinHostPort(address, number), number}] = service
				}
			}
		}
	}
	for key := range p.open {
		if wanted[key] == nil {
			p.closeForward(key)
		}
	}
	for key, service := range wanted {
		if p.open[key] == nil {
			p.openForward(ctx, key, service)
		}
	}
}

func (p *proxy) openForward(ctx context.Context, key forward, service *corev1.Service) {
	created := &forwarder{}
	p.open[key] = created
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", key.listen)
	if err != nil {
		p.runner.events.Eventf(service, corev1.EventTypeWarning, "NotForwarded",
			"cannot listen on %s: %v (ports below 1024 often need rights; pods are reachable at their own addresses)", key.listen, err)
		return
	}
	created.listener = listener
	p.tasks.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			p.tasks.Go(func() { p.forward(ctx, key, created, client) })
		}
	})
}

func (p *proxy) closeForward(key forward) {
	if listener := p.open[key].listener; listener != nil {
		_ = listener.Close()
	}
	delete(p.open, key)
}

// forward joins a client's connection with one to a ready pod. Without one the
// client's connection is reset, as a Service without endpoints refuses.
func (p *proxy) forward(ctx context.Context, key forward, through *forwarder, client net.Conn) {
	defer func() { _ = client.Close() }()
	targets := p.targets(key)
	if len(targets) == 0 {
		if tcp, ok := client.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return
	}
	target := targets[through.next.Add(1)%uint64(len(targets))]
	dialer := net.Dialer{Timeout: dialTimeout}
	server, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	stop := context.AfterFunc(ctx, func() {
		_ = client.Close()
		_ = server.Close()
	})
	defer stop()
	var copies sync.WaitGroup
	copies.Go(func() { pipe(server, client) })
	copies.Go(func() { pipe(client, server) })
	copies.Wait()
}

// pipe copies one direction and passes its end on.
func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}

// targets are the addresses of the pods that serve the port now.
func (p *proxy) targets(key forward) []string {
	service, err := p.runner.services.Services(key.namespace).Get(key.service)
	if err != nil {
		return nil
	}
	var targetPort intstr.IntOrString
	for _, port := range service.Spec.Ports {
		if strconv.Itoa(int(port.Port)) == key.port {
			targetPort = port.TargetPort
		}
	}
	pods, err := p.runner.pods.Pods(key.namespace).List(labels.SelectorFromSet(service.Spec.Selector))
	if err != nil {
		return nil
	}
	var addresses []string
	for _, pod := range pods {
		serves := isReady(pod) || service.Spec.PublishNotReadyAddresses
		if pod.Status.PodIP == "" || !serves {
			continue
		}
		if port := podPort(pod, targetPort); port != "" {
			addresses = append(addresses, net.JoinHostPort(pod.Status.PodIP, port))
		}
	}
	return addresses
}

func isReady(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// podPort is the number of a port of the pod, "" when it has no such name.
func podPort(pod *corev1.Pod, port intstr.IntOrString) string {
	if port.Type == intstr.Int {
		return strconv.Itoa(port.IntValue())
	}
	for _, container := range pod.Spec.Containers {
		for _, named := range container.Ports {
			if named.Name == port.StrVal {
				return strconv.Itoa(int(named.ContainerPort))
			}
		}
	}
	return ""
}

// serviceAddresses are the addresses at which a Service is forwarded.
func (r *Runner) serviceAddresses(service *corev1.Service) []string {
	var addresses []string
	if net.ParseIP(service.Spec.ClusterIP) != nil {
		addresses = append(addresses, service.Spec.ClusterIP)
	}
	if address, err := r.nameAddress(service.Namespace, service.Name); err == nil {
		addresses = append(addresses, address)
	} else {
		r.log.Warn("a service's name has no address", "service", service.Namespace+"/"+service.Name, "error", err)
	}
	return addresses
}

// nameAddress is the address that stands for the name of a Service.
func (r *Runner) nameAddress(namespace, service string) (string, error) {
	name := "service/" + namespace + "/" + service
	return r.addresses.take(name, name, "")
}

// resolveHost answers in place of the cluster's DNS: <service>.<namespace>.svc
// is the Service, whether it exists yet or not, and
// <pod>.<service>.<namespace>.svc that pod.
func (r *Runner) resolveHost(host string) (string, bool) {
	parts := strings.Split(strings.TrimSuffix(host, ".svc"), ".")
	switch len(parts) {
	case 2:
		address, err := r.nameAddress(parts[1], parts[0])
		return address, err == nil
	case 3:
		if pod, err := r.pods.Pods(parts[2]).Get(parts[0]); err == nil && pod.Spec.Subdomain == parts[1] && pod.Status.PodIP != "" {
			return pod.Status.PodIP, true
		}
	}
	return "", false
}
