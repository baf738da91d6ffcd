package fakelet

import (
	"context"
	"fmt"
	"log"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// How often a node's lease is renewed: twice as often as by a kubelet, because test machines are slow.
const heartbeat = 5 * time.Second

func nodeName(number int) string { return fmt.Sprintf("node-%d", number) }

// register makes the Node object if it is missing, and says that it is ready.
func (f *fakelet) register(ctx context.Context, number int) error {
	name := nodeName(number)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": name}}}
	_, err := f.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	node, err = f.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil || node.Annotations[annotationDead] == "true" {
		return err
	}
	f.lease(ctx, name)
	return f.ready(ctx, number)
}

// heartbeats renews the leases of the nodes that live, and takes back what the control plane said of them meanwhile.
func (f *fakelet) heartbeats(ctx context.Context, nodes int) {
	for ctx.Err() == nil {
		for number := 1; number <= nodes; number++ {
			node, err := f.nodes.Get(nodeName(number))
			switch {
			case apierrors.IsNotFound(err):
				// Deleted by a person: a kubelet registers again.
				err = f.register(ctx, number)
			case err != nil || f.dead(node.Name):
				continue
			default:
				f.lease(ctx, node.Name)
				if !isReady(node) {
					err = f.ready(ctx, number)
				}
			}
			if err != nil && ctx.Err() == nil {
				log.Print("node: ", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(heartbeat):
		}
	}
}

// node goes on with the pods of a node that may have come back.
func (f *fakelet) node(name string) (time.Duration, error) {
	if f.dead(name) {
		return 0, nil
	}
	pods, err := f.pods.List(labels.Everything())
	if err != nil {
		return 0, err
	}
	for _, pod := range pods {
		if pod.Spec.NodeName == name && (pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodPending) {
			f.queue.Add("pod:" + pod.Namespace + "/" + pod.Name)
		}
	}
	return 0, nil
}

func (f *fakelet) dead(name string) bool {
	node, err := f.nodes.Get(name)
	return err == nil && node.Annotations[annotationDead] == "true"
}

func isReady(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (f *fakelet) ready(ctx context.Context, number int) error {
	room := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("1k"),
		corev1.ResourceMemory:           resource.MustParse("4Ti"),
		corev1.ResourcePods:             resource.MustParse("5000"),
		corev1.ResourceEphemeralStorage: resource.MustParse("4Ti"),
	}
	node, err := f.client.CoreV1().Nodes().Get(ctx, nodeName(number), metav1.GetOptions{})
	if err != nil {
		return err
	}
	now := metav1.Now()
	node.Status.Capacity, node.Status.Allocatable = room, room
	node.Status.Addresses = []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: hostIP(number)},
		{Type: corev1.NodeHostName, Address: node.Name},
	}
	node.Status.NodeInfo.KubeletVersion = "v1.36.3"
	node.Status.NodeInfo.OperatingSystem, node.Status.NodeInfo.Architecture = "linux", "amd64"
	node.Status.Conditions = nil
	for kind, status := range map[corev1.NodeConditionType]corev1.ConditionStatus{
		corev1.NodeReady:          corev1.ConditionTrue,
		corev1.NodeMemoryPressure: corev1.ConditionFalse,
		corev1.NodeDiskPressure:   corev1.ConditionFalse,
		corev1.NodePIDPressure:    corev1.ConditionFalse,
	} {
		node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{
			Type: kind, Status: status, Reason: "Fakelet", LastHeartbeatTime: now, LastTransitionTime: now})
	}
	_, err = f.client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) {
		return nil // the node controller was quicker; the next heartbeat looks again
	}
	return err
}

func hostIP(number int) string { return fmt.Sprintf("10.1.0.%d", number) }

func (f *fakelet) lease(ctx context.Context, name string) {
	leases := f.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	now := metav1.NowMicro()
	lease, err := leases.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		seconds := int32(40)
		_, err = leases.Create(ctx, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: corev1.NamespaceNodeLease},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &name, LeaseDurationSeconds: &seconds, RenewTime: &now},
		}, metav1.CreateOptions{})
	} else if err == nil {
		lease.Spec.HolderIdentity, lease.Spec.RenewTime = &name, &now
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	}
	if err != nil && ctx.Err() == nil {
		log.Print("lease: ", err)
	}
}
