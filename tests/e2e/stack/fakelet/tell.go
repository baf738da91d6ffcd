package fakelet

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

func statusEqual(before, after *corev1.PodStatus) bool {
	return equality.Semantic.DeepEqual(before, after)
}

// tell writes the Events that a kubelet writes when a pod's containers go from one state to the next.
func (f *fakelet) tell(before, after *corev1.Pod) {
	old := slices.Concat(before.Status.InitContainerStatuses, before.Status.ContainerStatuses)
	for _, status := range slices.Concat(after.Status.InitContainerStatuses, after.Status.ContainerStatuses) {
		was := corev1.ContainerStatus{}
		if at := slices.IndexFunc(old, func(other corev1.ContainerStatus) bool { return other.Name == status.Name }); at >= 0 {
			was = old[at]
		}
		f.tellOf(after, was, status)
	}
}

func (f *fakelet) tellOf(pod *corev1.Pod, was, is corev1.ContainerStatus) {
	if is.State.Running != nil && was.State.Running == nil {
		f.events.Eventf(pod, corev1.EventTypeNormal, "Pulled", "Container image %q already present on machine", is.Image)
		f.events.Eventf(pod, corev1.EventTypeNormal, "Created", "Container created")
		f.events.Eventf(pod, corev1.EventTypeNormal, "Started", "Container started")
	}
	if is.State.Waiting == nil {
		return
	}
	reason := is.State.Waiting.Reason
	if was.State.Waiting != nil && was.State.Waiting.Reason == reason && was.RestartCount == is.RestartCount {
		return
	}
	switch reason {
	case "ErrImagePull":
		f.events.Eventf(pod, corev1.EventTypeNormal, "Pulling", "Pulling image %q", is.Image)
		f.events.Eventf(pod, corev1.EventTypeWarning, "Failed", "Failed to pull image %q: %s", is.Image, is.State.Waiting.Message)
		f.events.Event(pod, corev1.EventTypeWarning, "Failed", "Error: ErrImagePull")
	case "ImagePullBackOff":
		f.events.Eventf(pod, corev1.EventTypeNormal, "BackOff", "Back-off pulling image %q", is.Image)
		f.events.Event(pod, corev1.EventTypeWarning, "Failed", "Error: ImagePullBackOff")
	case "CrashLoopBackOff":
		f.events.Eventf(pod, corev1.EventTypeWarning, "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)",
			is.Name, pod.Name, pod.Namespace, pod.UID)
	}
}
