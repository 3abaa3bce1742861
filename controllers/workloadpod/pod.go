// Package workloadpod builds what the pods of all workloads have in common:
// they run the selaras binary in one role, hold no Kubernetes token, meet the
// restricted Pod Security Standard, read their hub credentials from a mounted
// Secret and answer probes and scrapes on one port.
package workloadpod

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"
)

// The places of a workload's files and ports, the same in every pod.
const (
	HubDir         = "/var/run/selaras/hub"
	HubCredentials = HubDir + "/user.creds"
	CredentialsDir = "/var/run/selaras/credentials"
	CADir          = "/var/run/selaras/ca"
	ClientCertDir  = "/var/run/selaras/client-certificate"
	DataDir        = "/var/lib/selaras"

	// MetricsPort serves /metrics, /healthz and /readyz, WebhookPort the
	// channel's webhooks.
	MetricsPort = 8080
	WebhookPort = 8081

	// user is the unprivileged user of the image.
	user = 65532
)

// Labels that the operator sets on everything it makes.
const (
	LabelName      = "app.kubernetes.io/name"
	LabelComponent = "app.kubernetes.io/component"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "selaras"
)

// Labels returns the labels of a component's objects.
func Labels(component, instance string) map[string]string {
	return map[string]string{
		LabelName: "selaras", LabelComponent: component,
		LabelInstance: instance, LabelManagedBy: ManagedBy,
	}
}

// Params is what differs between workloads.
type Params struct {
	// Role is the subcommand, Component and Instance are the labels.
	Role, Component, Instance string
	Image                     string
	// Args come after the role and the common ones.
	Args []string
	// HubSecret holds key user.creds.
	HubSecret string
	HubURL    string
	Namespace string
	// Webhooks adds the webhook port.
	Webhooks bool
	// Volumes and Mounts beside the common ones; Data replaces the emptyDir of
	// DataDir.
	Volumes   []*coreac.VolumeApplyConfiguration
	Mounts    []*coreac.VolumeMountApplyConfiguration
	Data      *coreac.VolumeApplyConfiguration
	Resources *corev1.ResourceRequirements
}

// defaultResources are requests alone: a limit would throttle a fill.
var defaultResources = corev1.ResourceRequirements{
	Requests: corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("20m"),
		corev1.ResourceMemory: resource.MustParse("64Mi"),
	},
}

// Template builds the pod template.
func Template(p Params) *coreac.PodTemplateSpecApplyConfiguration {
	args := append([]string{
		p.Role,
		"--namespace=" + p.Namespace,
		"--hub-url=" + p.HubURL,
		"--hub-credentials=" + HubCredentials,
		"--data-dir=" + DataDir,
		"--bind-address=$(POD_IP)",
		fmt.Sprintf("--port=%d", MetricsPort),
	}, p.Args...)
	ports := []*coreac.ContainerPortApplyConfiguration{
		coreac.ContainerPort().WithName("metrics").WithContainerPort(MetricsPort).WithProtocol(corev1.ProtocolTCP),
	}
	if p.Webhooks {
		args = append(args, fmt.Sprintf("--webhook-port=%d", WebhookPort))
		ports = append(ports, coreac.ContainerPort().WithName("webhooks").WithContainerPort(WebhookPort).WithProtocol(corev1.ProtocolTCP))
	}
	data := p.Data
	if data == nil {
		data = coreac.Volume().WithName("data").WithEmptyDir(coreac.EmptyDirVolumeSource())
	}
	resources := p.Resources
	if resources == nil {
		resources = &defaultResources
	}
	container := coreac.Container().
		WithName(p.Role).
		WithImage(p.Image).
		WithArgs(args...).
		WithEnv(
			coreac.EnvVar().WithName("POD_IP").WithValueFrom(coreac.EnvVarSource().WithFieldRef(
				coreac.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath("status.podIP"))),
			coreac.EnvVar().WithName("POD_NAME").WithValueFrom(coreac.EnvVarSource().WithFieldRef(
				coreac.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath("metadata.name"))),
		).
		WithPorts(ports...).
		WithResources(coreac.ResourceRequirements().WithRequests(resources.Requests).WithLimits(resources.Limits)).
		WithVolumeMounts(append([]*coreac.VolumeMountApplyConfiguration{
			coreac.VolumeMount().WithName("hub").WithMountPath(HubDir).WithReadOnly(true),
			coreac.VolumeMount().WithName("data").WithMountPath(DataDir),
		}, p.Mounts...)...).
		WithStartupProbe(probe("/healthz", 2, 30)).
		WithLivenessProbe(probe("/healthz", 10, 6)).
		WithReadinessProbe(probe("/readyz", 2, 2)).
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithSecurityContext(coreac.SecurityContext().
			WithAllowPrivilegeEscalation(false).
			WithReadOnlyRootFilesystem(true).
			WithCapabilities(coreac.Capabilities().WithDrop("ALL")))
	return coreac.PodTemplateSpec().
		WithLabels(Labels(p.Component, p.Instance)).
		WithAnnotations(map[string]string{"kubectl.kubernetes.io/default-container": p.Role}).
		WithSpec(coreac.PodSpec().
			WithServiceAccountName(p.Instance).
			WithAutomountServiceAccountToken(false).
			WithEnableServiceLinks(false).
			WithTerminationGracePeriodSeconds(30).
			WithSecurityContext(coreac.PodSecurityContext().
				WithRunAsNonRoot(true).WithRunAsUser(user).WithRunAsGroup(user).WithFSGroup(user).
				WithSeccompProfile(coreac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
			WithContainers(container).
			WithVolumes(append([]*coreac.VolumeApplyConfiguration{
				coreac.Volume().WithName("hub").WithSecret(coreac.SecretVolumeSource().WithSecretName(p.HubSecret).WithDefaultMode(0o440)),
				data,
			}, p.Volumes...)...))
}

// Deployment builds a Deployment of one pod that is replaced, never doubled:
// two writers of one channel must not run side by side (DESIGN §5.2).
func Deployment(name, namespace string, labels map[string]string, replicas int32, template *coreac.PodTemplateSpecApplyConfiguration) *appsac.DeploymentApplyConfiguration {
	return appsac.Deployment(name, namespace).
		WithLabels(labels).
		WithSpec(appsac.DeploymentSpec().
			WithReplicas(replicas).
			WithRevisionHistoryLimit(2).
			WithProgressDeadlineSeconds(120).
			WithStrategy(appsac.DeploymentStrategy().WithType("Recreate")).
			WithSelector(metaac.LabelSelector().WithMatchLabels(labels)).
			WithTemplate(template))
}

func probe(path string, period, failures int32) *coreac.ProbeApplyConfiguration {
	return coreac.Probe().
		WithHTTPGet(coreac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString("metrics")).WithScheme(corev1.URISchemeHTTP)).
		WithPeriodSeconds(period).WithTimeoutSeconds(2).WithFailureThreshold(failures)
}
