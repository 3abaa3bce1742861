// Package runner stands in for a cluster's scheduler and kubelet on one
// machine: it registers the Node "dev", binds pending pods to it and runs the
// containers' own commands as local processes, with their environment, volumes,
// probes and restarts, and reports what a kubelet reports.
//
// What a pod gets that differs from a container:
//
//   - An image is a local executable (Options.Images); an image that is not
//     known fails as one that cannot be pulled.
//   - There is no mount namespace. A volume is a directory below the data
//     directory; its mount path is rewritten in command, args and env
//     (podspec.Translator). TMPDIR points to the volume mounted at /tmp or to a
//     directory of the pod's own; HOME and the working directory are the pod's.
//   - Every pod has a loopback address of its own as its pod IP. A program that
//     listens on $(POD_IP):port, or on :port with the port declared as
//     containerPort, gets the port it asks for without colliding with others.
//   - Services have loopback cluster IPs that the runner forwards (TCP);
//     <service>.<namespace>.svc is rewritten in command, args and env.
//   - Where the service account's token is mounted, KUBECONFIG points to a file
//     that uses that token, because the in-cluster path is hard-coded in
//     client-go; the rights are the service account's own.
//   - securityContext, resource limits and NetworkPolicies are not enforced:
//     processes run as the user who runs the cluster.
//
// The restart of a container, an update of a ConfigMap or Secret, a deletion
// and a Deployment's rollout behave as on a node, only faster.
package runner
