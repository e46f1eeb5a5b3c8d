// Command peer reads a whole registry as a good program of our field would: go-containerregistry's remote package, one
// Puller, and so many goroutines. It asks for what benchmarks/bare.py asks for, and throws it away.
//
//	peer URL GOROUTINES
//
// It is a subject of benchmarks.jobs: "ready" on standard output, then one JSON object for each line of standard input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

type told struct {
	Seconds float64 `json:"seconds"`
	Tags    int64   `json:"tags"`
	Status  string  `json:"status"`
}

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: peer URL GOROUTINES"))
	}
	goroutines, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fail(err)
	}
	registry, err := name.NewRegistry(strings.TrimPrefix(os.Args[1], "http://"), name.Insecure)
	if err != nil {
		fail(err)
	}
	fmt.Println("ready")
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		begun := time.Now()
		tags, err := fetch(registry, goroutines)
		if err != nil {
			fail(err)
		}
		answer := told{Seconds: time.Since(begun).Seconds(), Tags: tags, Status: "complete"}
		if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
			fail(err)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// fetch reads the registry once and returns how many tags it has.
func fetch(registry name.Registry, goroutines int) (int64, error) {
	puller, err := remote.NewPuller(remote.WithJobs(goroutines))
	if err != nil {
		return 0, err
	}
	reading := &reading{puller: puller, seen: &sync.Map{}}
	repositories, err := remote.Catalog(context.Background(), registry)
	if err != nil {
		return 0, err
	}
	tags, err := reading.list(registry, repositories, goroutines)
	if err != nil {
		return 0, err
	}
	return reading.tags.Load(), side(goroutines, tags, reading.tag)
}

type reading struct {
	puller *remote.Puller
	seen   *sync.Map // digests of members and configs that are read already
	tags   atomic.Int64
}

// list returns the references of all tags.
func (r *reading) list(registry name.Registry, repositories []string, goroutines int) ([]name.Tag, error) {
	var lock sync.Mutex
	var all []name.Tag
	err := side(goroutines, repositories, func(ctx context.Context, repository string) error {
		repo := registry.Repo(repository)
		tags, err := r.puller.List(ctx, repo)
		if err != nil {
			return err
		}
		r.tags.Add(int64(len(tags)))
		lock.Lock()
		defer lock.Unlock()
		for _, tag := range tags {
			all = append(all, repo.Tag(tag))
		}
		return nil
	})
	return all, err
}

func (r *reading) tag(ctx context.Context, tag name.Tag) error {
	manifest, err := r.puller.Get(ctx, tag)
	if err != nil {
		return err
	}
	return r.follow(ctx, tag.Context(), manifest)
}

// follow reads what a manifest alone does not tell: members without a platform, and the config.
func (r *reading) follow(ctx context.Context, repo name.Repository, manifest *remote.Descriptor) error {
	switch {
	case manifest.MediaType.IsIndex():
		return r.members(ctx, repo, manifest)
	case manifest.MediaType.IsImage():
		return r.config(ctx, repo, manifest)
	}
	return nil // schema 1 tells all itself
}

func (r *reading) members(ctx context.Context, repo name.Repository, manifest *remote.Descriptor) error {
	var index v1.IndexManifest
	if err := json.Unmarshal(manifest.Manifest, &index); err != nil {
		return err
	}
	for _, member := range index.Manifests {
		if member.Platform != nil || r.isRead(member.Digest) {
			continue
		}
		read, err := r.puller.Get(ctx, repo.Digest(member.Digest.String()))
		if err != nil {
			return err
		}
		if err := r.follow(ctx, repo, read); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) config(ctx context.Context, repo name.Repository, manifest *remote.Descriptor) error {
	var image v1.Manifest
	if err := json.Unmarshal(manifest.Manifest, &image); err != nil {
		return err
	}
	if !hasImageLayers(image) || r.isRead(image.Config.Digest) {
		return nil
	}
	read, err := manifest.Image()
	if err != nil {
		return err
	}
	_, err = read.ConfigFile()
	return err
}

// isRead returns whether the digest was met before; from now on it was.
func (r *reading) isRead(digest v1.Hash) bool {
	_, met := r.seen.LoadOrStore(digest, true)
	return met
}

// hasImageLayers is false for what other tools keep in image manifests.
func hasImageLayers(image v1.Manifest) bool {
	for _, layer := range image.Layers {
		if strings.Contains(string(layer.MediaType), ".image.") {
			return true
		}
	}
	return false
}

// side does the work for each item, so many at a time.
func side[T any](goroutines int, items []T, work func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(context.Background())
	group.SetLimit(goroutines)
	for _, item := range items {
		group.Go(func() error { return work(ctx, item) })
	}
	return group.Wait()
}
