package runner

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"selaras.dev/selaras/internal/dev/podspec"
	"selaras.dev/selaras/internal/dev/process"
)

const (
	// pullRetry is how long a pull that failed waits before the next attempt.
	pullRetry     = 5 * time.Second
	firstPullPoll = time.Second
	pullError     = "ErrImagePull"
)

// configure resolves what to run, waiting for what is missing as a kubelet
// does; false means that the container was stopped meanwhile.
func (c *container) configure(ctx context.Context) (process.Command, bool) {
	for attempt := 0; ; attempt++ {
		command, problem := c.resolve()
		if problem == nil {
			return command, true
		}
		appeared := c.retry
		delay := pullRetry
		if problem.reason == pullError {
			appeared = nil // nothing in the API makes an image known
			if attempt == 0 {
				delay = firstPullPoll
			} else {
				problem.reason = "ImagePullBackOff"
			}
		}
		if c.waitingFor(problem) {
			if problem.reason != "ImagePullBackOff" {
				c.event(corev1.EventTypeWarning, "Failed", "Error: "+problem.message)
			}
			c.update(func(status *corev1.ContainerStatus) {
				status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: problem.reason, Message: problem.message}}
			})
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return process.Command{}, false
		case <-appeared:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// waitReason is why a container waits, in a kubelet's words.
type waitReason struct{ reason, message string }

// waitingFor tells whether the problem is another than the one last reported.
func (c *container) waitingFor(problem *waitReason) bool {
	status, _ := c.state()
	waiting := status.State.Waiting
	return waiting == nil || waiting.Reason != problem.reason || waiting.Message != problem.message
}

// resolve makes the command line, environment and directories of the container.
func (c *container) resolve() (process.Command, *waitReason) {
	view := c.pod.view()
	options := &c.pod.runner.options
	image, known := options.Images[c.spec.Image]
	if !known {
		return process.Command{}, &waitReason{pullError, fmt.Sprintf(
			"image %q is not known to the development cluster; known are %s",
			c.spec.Image, strings.Join(slices.Sorted(maps.Keys(options.Images)), ", "))}
	}
	configError := func(err error) (process.Command, *waitReason) {
		return process.Command{}, &waitReason{"CreateContainerConfigError", err.Error()}
	}
	mounts, err := view.mounts(c.spec)
	if err != nil {
		return configError(err)
	}
	base, err := c.baseEnvironment(image, mounts)
	if err != nil {
		return configError(err)
	}
	variables, err := podspec.Environment(view.pod, c.spec, base, nodeCapacity(), c.pod.objects())
	if err != nil {
		return configError(err)
	}
	translator := c.translator(mounts)
	lookup := podspec.Lookup(variables)
	arguments := func(texts []string) []string {
		var out []string
		for _, text := range texts {
			out = append(out, translator.Text(podspec.Expand(text, lookup)))
		}
		return out
	}
	command := process.Command{Path: image.Executable, Args: arguments(c.spec.Args), Dir: c.pod.home()}
	if len(c.spec.Command) > 0 {
		program := podspec.Expand(c.spec.Command[0], lookup)
		if program != image.Entrypoint && program != filepath.Base(image.Executable) {
			if local, inVolume := translator.Path(program); inVolume {
				command.Path = local
			} else {
				return process.Command{}, &waitReason{"RunContainerError", fmt.Sprintf(
					"exec %s: no such file or directory: image %q holds only %q", program, c.spec.Image, image.Entrypoint)}
			}
		}
		command.Args = append(arguments(c.spec.Command[1:]), command.Args...)
	}
	if directory := c.spec.WorkingDir; directory != "" {
		if local, inVolume := translator.Path(directory); inVolume {
			command.Dir = local
		}
	}
	command.Env = []string{}
	for _, variable := range variables {
		if !variable.Secret && !c.isLocal(base, variable) {
			variable.Value = translator.Text(variable.Value)
		}
		command.Env = append(command.Env, variable.Name+"="+variable.Value)
	}
	return command, nil
}

// isLocal tells whether the value is one of the runner's own, which names local
// paths already.
func (c *container) isLocal(base []podspec.Variable, variable podspec.Variable) bool {
	return slices.Contains(base, variable)
}

func (c *container) translator(mounts map[string]string) *podspec.Translator {
	return podspec.NewTranslator(c.spec, c.pod.address, mounts, c.pod.runner.resolveHost)
}

// baseEnvironment is what every process gets before the container's own
// variables.
func (c *container) baseEnvironment(image Image, mounts map[string]string) ([]podspec.Variable, error) {
	temp := c.pod.temp()
	if mounted, ok := mounts["/tmp"]; ok {
		temp = mounted
	}
	server, err := url.Parse(c.pod.runner.options.Config.Host)
	if err != nil {
		return nil, fmt.Errorf("parse the API server's address: %w", err)
	}
	variables := []podspec.Variable{
		{Name: "PATH", Value: os.Getenv("PATH")},
		{Name: "HOME", Value: c.pod.home()},
		{Name: "TMPDIR", Value: temp},
		{Name: "HOSTNAME", Value: c.pod.name},
		{Name: "KUBERNETES_SERVICE_HOST", Value: server.Hostname()},
		{Name: "KUBERNETES_SERVICE_PORT", Value: server.Port()},
	}
	if tokenDir, ok := mounts[serviceAccountPath]; ok {
		path, err := c.pod.writeKubeconfig(tokenDir)
		if err != nil {
			return nil, err
		}
		variables = append(variables, podspec.Variable{Name: "KUBECONFIG", Value: path})
	}
	for _, name := range slices.Sorted(maps.Keys(image.Env)) {
		variables = append(variables, podspec.Variable{Name: name, Value: image.Env[name]})
	}
	return variables, nil
}
