// compose-check loads compose files as `docker compose config` does, without Docker, and prints the names of the
// services that would run. Usage: compose-check [-profile NAME]... [-env-file FILE] FILE...
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/sirupsen/logrus"
)

func main() {
	logrus.SetOutput(io.Discard)
	if err := check(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check() error {
	var profiles, envFiles []string
	flag.Func("profile", "a profile to enable", func(name string) error {
		profiles = append(profiles, name)
		return nil
	})
	flag.Func("env-file", "a file of variables, instead of .env", func(file string) error {
		envFiles = append(envFiles, file)
		return nil
	})
	flag.Parse()
	if flag.NArg() == 0 {
		return fmt.Errorf("compose-check: no compose file given")
	}
	options, err := cli.NewProjectOptions(flag.Args(),
		cli.WithOsEnv,
		cli.WithEnvFiles(envFiles...),
		cli.WithDotEnv,
		cli.WithProfiles(profiles),
		cli.WithInterpolation(true),
		cli.WithNormalization(true),
		cli.WithConsistency(true),
		cli.WithResolvedPaths(true),
	)
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	names := project.ServiceNames()
	slices.Sort(names)
	for _, name := range names {
		fmt.Println(name)
	}
	return nil
}
