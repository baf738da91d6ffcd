// Package fakelet stands in for what a cluster has beside its control plane: kubelets, a volume driver and an ingress
// controller. It runs no container and mounts nothing; it writes what those would write.
//
// Every write names what it was decided on: a deletion carries the pod's UID, a status its resourceVersion. An event
// that comes late can therefore never hit a newer pod of the same name, as the pods of StatefulSets have.
package fakelet

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

// What a test may ask for. Durations are Go's ("1500ms"). The first two are read from the pod, then from its node.
const (
	// How long a pod takes from its node until it is ready.
	annotationReadyAfter = "fakelet.test/ready-after"
	// How long a pod's processes take to end, at most the grace period of the deletion.
	annotationStopsAfter = "fakelet.test/stops-after"
	// On a Node, "true": nothing is heard of it and nothing happens on it until the annotation is gone.
	annotationDead = "fakelet.test/dead"
	// Images with this tag cannot be pulled.
	tagMissing = ":missing"
	// Containers of images with this tag end at once, again and again.
	tagCrashing = ":crashing"
)

type fakelet struct {
	client    kubernetes.Interface
	events    record.EventRecorder // in the name of kubelets
	driver    record.EventRecorder // in the name of the volume driver
	pods      corelisters.PodLister
	nodes     corelisters.NodeLister
	claims    corelisters.PersistentVolumeClaimLister
	volumes   corelisters.PersistentVolumeLister
	classes   storagelisters.StorageClassLister
	ingresses networkinglisters.IngressLister
	queue     workqueue.TypedRateLimitingInterface[string]
	addresses atomic.Uint32
	folder    string
	ingressIP string
}

// Main runs until it is told to stop, and returns the exit status.
func Main(arguments []string) int {
	flags := flag.NewFlagSet("fakelet", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	nodes := flags.Int("nodes", 3, "number of nodes")
	workers := flags.Int("workers", 16, "how many objects are handled at the same time")
	folder := flags.String("volumes", "", "the folder that holds a folder for each volume")
	ingressIP := flags.String("ingress-ip", "10.0.255.1", "the address of every Ingress; empty: none")
	_ = flags.Parse(arguments)
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Print(err)
		return 1
	}
	config.QPS, config.Burst, config.UserAgent = 500, 1000, "fakelet"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		log.Print(err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	factory := informers.NewSharedInformerFactory(client, 0)
	core := factory.Core().V1()
	f := &fakelet{
		client:    client,
		events:    broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet"}),
		driver:    broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: provisioner}),
		pods:      core.Pods().Lister(),
		nodes:     core.Nodes().Lister(),
		claims:    core.PersistentVolumeClaims().Lister(),
		volumes:   core.PersistentVolumes().Lister(),
		classes:   factory.Storage().V1().StorageClasses().Lister(),
		ingresses: factory.Networking().V1().Ingresses().Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](50*time.Millisecond, 5*time.Second)),
		folder:    *folder,
		ingressIP: *ingressIP,
	}
	for kind, informer := range map[string]cache.SharedIndexInformer{
		"pod":     core.Pods().Informer(),
		"node":    core.Nodes().Informer(),
		"claim":   core.PersistentVolumeClaims().Informer(),
		"volume":  core.PersistentVolumes().Informer(),
		"ingress": factory.Networking().V1().Ingresses().Informer(),
	} {
		if _, err := informer.AddEventHandler(f.enqueue(kind)); err != nil {
			log.Print(err)
			return 1
		}
	}
	factory.Storage().V1().StorageClasses().Informer()
	for number := 1; number <= *nodes; number++ {
		if err := f.register(ctx, number); err != nil {
			log.Print("node: ", err)
			return 1
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go f.heartbeats(ctx, *nodes)
	for range *workers {
		go f.work(ctx)
	}
	log.Printf("%d nodes, %d workers", *nodes, *workers)
	<-ctx.Done()
	f.queue.ShutDown()
	return 0
}

func (f *fakelet) enqueue(kind string) cache.ResourceEventHandlerFuncs {
	put := func(object any) {
		if key, err := cache.MetaNamespaceKeyFunc(object); err == nil {
			f.queue.Add(kind + ":" + key)
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: put, UpdateFunc: func(_, object any) { put(object) }}
}

func (f *fakelet) work(ctx context.Context) {
	for {
		key, closed := f.queue.Get()
		if closed {
			return
		}
		again, err := f.handle(ctx, key)
		switch {
		case err != nil && !apierrors.IsNotFound(err):
			if !apierrors.IsConflict(err) && ctx.Err() == nil {
				log.Printf("%s: %v", key, err)
			}
			f.queue.AddRateLimited(key)
		case again > 0:
			f.queue.Forget(key)
			f.queue.AddAfter(key, again)
		default:
			f.queue.Forget(key)
		}
		f.queue.Done(key)
	}
}

// handle brings one object a step further; it is called again after the time that it returns, if any.
func (f *fakelet) handle(ctx context.Context, key string) (time.Duration, error) {
	kind, rest, _ := strings.Cut(key, ":")
	namespace, name, _ := cache.SplitMetaNamespaceKey(rest)
	switch kind {
	case "pod":
		return f.pod(ctx, namespace, name)
	case "node":
		return f.node(name)
	case "claim":
		return f.claim(ctx, namespace, name)
	case "volume":
		return 0, f.volume(ctx, name)
	default:
		return 0, f.ingress(ctx, namespace, name)
	}
}
