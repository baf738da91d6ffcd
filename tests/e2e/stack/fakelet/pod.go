package fakelet

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// How long after a failed attempt to pull an image the kubelet backs off (10 s in a real one).
	backOffAfter = 500 * time.Millisecond
	// How long between two attempts of a container that crashes, and how many are made.
	restartEvery = 3 * time.Second
	restarts     = 20
)

// pod brings a pod to its next state: what a kubelet would write of it.
func (f *fakelet) pod(ctx context.Context, namespace, name string) (time.Duration, error) {
	pod, err := f.pods.Pods(namespace).Get(name)
	if err != nil || pod.Spec.NodeName == "" || f.dead(pod.Spec.NodeName) {
		return 0, nil
	}
	if pod.DeletionTimestamp != nil {
		return f.end(ctx, pod)
	}
	if isPodReady(pod) {
		return 0, nil
	}
	wait := f.asked(pod, annotationReadyAfter) - time.Since(pod.CreationTimestamp.Time)
	next := pod.DeepCopy()
	again := f.advance(next, wait > 0)
	if wait > 0 {
		again = wait
	}
	if statusEqual(&pod.Status, &next.Status) {
		return again, nil
	}
	_, err = f.client.CoreV1().Pods(namespace).UpdateStatus(ctx, next, metav1.UpdateOptions{})
	if err != nil {
		return 0, err
	}
	f.tell(pod, next)
	return again, nil
}

// end removes a pod whose processes have ended.
func (f *fakelet) end(ctx context.Context, pod *corev1.Pod) (time.Duration, error) {
	grace := int64(0)
	if pod.DeletionGracePeriodSeconds != nil {
		grace = *pod.DeletionGracePeriodSeconds
	}
	period := time.Duration(grace) * time.Second
	asked := pod.DeletionTimestamp.Add(-period)
	if left := time.Until(asked.Add(min(period, f.asked(pod, annotationStopsAfter)))); left > 0 {
		return left, nil
	}
	now := int64(0)
	return 0, f.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &pod.UID}})
}

// asked is the duration that an annotation of the pod, or else of its node, asks for.
func (f *fakelet) asked(pod *corev1.Pod, annotation string) time.Duration {
	text := pod.Annotations[annotation]
	if node, err := f.nodes.Get(pod.Spec.NodeName); text == "" && err == nil {
		text = node.Annotations[annotation]
	}
	duration, _ := time.ParseDuration(text)
	return duration
}

func isPodReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// advance writes the pod's next status, and says after how long there is another one.
func (f *fakelet) advance(pod *corev1.Pod, creating bool) time.Duration {
	f.arrive(pod)
	sidecars := []corev1.Container{}
	for _, container := range pod.Spec.InitContainers {
		// Any other init container would have run and ended before: none of the product's does.
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars = append(sidecars, container)
		}
	}
	initialized, beside, soon := contain(pod, sidecars, pod.Status.InitContainerStatuses, creating)
	pod.Status.InitContainerStatuses = beside
	ready, inside, later := contain(pod, pod.Spec.Containers, pod.Status.ContainerStatuses, creating || !initialized)
	pod.Status.ContainerStatuses = inside
	if slices.ContainsFunc(inside, func(status corev1.ContainerStatus) bool {
		return status.State.Running != nil || status.LastTerminationState.Terminated != nil
	}) {
		pod.Status.Phase = corev1.PodRunning
	}
	condition(pod, corev1.PodReadyToStartContainers, !creating)
	condition(pod, corev1.PodInitialized, initialized)
	condition(pod, corev1.ContainersReady, initialized && ready)
	condition(pod, corev1.PodReady, initialized && ready)
	if soon == 0 || later > 0 && later < soon {
		return later
	}
	return soon
}

// arrive gives a pod the addresses that it keeps.
func (f *fakelet) arrive(pod *corev1.Pod) {
	if pod.Status.PodIP != "" {
		return
	}
	number, _ := strconv.Atoi(strings.TrimPrefix(pod.Spec.NodeName, "node-"))
	address := f.addresses.Add(1)
	now := metav1.Now()
	pod.Status.HostIP = hostIP(number)
	pod.Status.HostIPs = []corev1.HostIP{{IP: pod.Status.HostIP}}
	pod.Status.PodIP = fmt.Sprintf("10.2.%d.%d", address>>8&255, address&255)
	pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}}
	pod.Status.StartTime = &now
}

// contain is the next state of some of a pod's containers: whether all are ready, and when there is another state.
func contain(pod *corev1.Pod, containers []corev1.Container, before []corev1.ContainerStatus, held bool) (bool, []corev1.ContainerStatus, time.Duration) {
	ready, again := true, time.Duration(0)
	after := []corev1.ContainerStatus{}
	for _, container := range containers {
		status := corev1.ContainerStatus{Name: container.Name, Image: container.Image}
		if at := slices.IndexFunc(before, func(status corev1.ContainerStatus) bool { return status.Name == container.Name }); at >= 0 {
			status = before[at]
		}
		next := time.Duration(0)
		switch {
		case held && status.State.Running == nil:
			wait(&status, "ContainerCreating", "")
		case strings.HasSuffix(container.Image, tagMissing):
			next = unpullable(&status)
		case strings.HasSuffix(container.Image, tagCrashing):
			next = crash(pod, &status)
		case status.State.Running == nil:
			run(pod, &status)
		}
		ready = ready && status.Ready
		if next > 0 && (again == 0 || next < again) {
			again = next
		}
		after = append(after, status)
	}
	return ready, after, again
}

func wait(status *corev1.ContainerStatus, reason, message string) {
	status.Ready = false
	status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func run(pod *corev1.Pod, status *corev1.ContainerStatus) {
	started := true
	status.Ready, status.Started = true, &started
	status.ImageID = status.Image
	status.ContainerID = "fake://" + string(pod.UID) + "/" + status.Name
	status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
}

// unpullable is a container whose image is not in its registry.
func unpullable(status *corev1.ContainerStatus) time.Duration {
	waiting := status.State.Waiting
	switch {
	case waiting != nil && waiting.Reason == "ImagePullBackOff":
		return 0
	case waiting != nil && waiting.Reason == "ErrImagePull":
		wait(status, "ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q", status.Image))
		return 0
	default:
		wait(status, "ErrImagePull", fmt.Sprintf("failed to pull and unpack image %q: %s: not found", status.Image, status.Image))
		return backOffAfter
	}
}

// crash is a container that ends as soon as it runs.
func crash(pod *corev1.Pod, status *corev1.ContainerStatus) time.Duration {
	now := metav1.Now()
	last := status.LastTerminationState.Terminated
	if last != nil && (status.RestartCount >= restarts || time.Since(last.FinishedAt.Time) < restartEvery) {
		return restartEvery
	}
	if last != nil {
		status.RestartCount++
	}
	started := false
	status.Started = &started
	status.ImageID = status.Image
	status.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 1, Reason: "Error", StartedAt: now, FinishedAt: now}}
	wait(status, "CrashLoopBackOff", fmt.Sprintf("back-off 10s restarting failed container=%s pod=%s_%s(%s)",
		status.Name, pod.Name, pod.Namespace, pod.UID))
	return restartEvery
}

// condition sets a condition; its time moves only with its status.
func condition(pod *corev1.Pod, kind corev1.PodConditionType, holds bool) {
	status := corev1.ConditionFalse
	if holds {
		status = corev1.ConditionTrue
	}
	next := corev1.PodCondition{Type: kind, Status: status, LastTransitionTime: metav1.Now()}
	if !holds && (kind == corev1.PodReady || kind == corev1.ContainersReady) {
		next.Reason = "ContainersNotReady"
	}
	for index := range pod.Status.Conditions {
		if pod.Status.Conditions[index].Type == kind {
			if pod.Status.Conditions[index].Status != status {
				pod.Status.Conditions[index] = next
			}
			return
		}
	}
	pod.Status.Conditions = append(pod.Status.Conditions, next)
}
