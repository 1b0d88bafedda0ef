const ADJECTIVES =
  `able amber apt ardent azure bold brave breezy bright brisk calm candid clear clever cosmic cozy crisp daring deft
  eager early easy fair fancy fast fine fleet fond fresh gentle giddy glad golden grand happy hardy hazy honest humble
  jolly keen kind lively loyal lucid lucky lunar merry mild misty modest neat nimble noble patient plucky polite proud
  quick quiet rapid ready regal robust rosy rustic sandy serene shiny silent silver sleek smart snowy solar solid spry
  steady stellar sunny swift tidy tranquil vivid warm wild wise witty young zesty`.split(/\s+/);

const ANIMALS =
  `alpaca ant badger bat bear beaver bee bison boar bobcat camel cat cheetah cobra condor coyote crab crane cricket crow
  deer dingo dolphin dove dragonfly duck eagle elk emu falcon ferret finch firefly fox frog gecko gibbon goose
  grouse gull hare hawk hedgehog heron horse ibex ibis iguana jackal jaguar jay kestrel kiwi koala lark lemur leopard
  llama lynx magpie mole moose moth newt ocelot okapi orca osprey otter owl panda panther parrot pelican penguin pony
  puffin puma quail rabbit raven robin salmon seal shark shrew skunk sloth sparrow squid stork swan tapir tiger toad
  toucan trout turtle viper walrus weasel whale wolf wombat wren yak zebra`.split(/\s+/);

/**
 * A readable label such as `brave-otter-4821`: about 80 million of them.
 *
 * @param randomInteger Evenly distributed integer, 0 ≤ n < `below`.
 */
export function randomName(randomInteger: (below: number) => number): string {
  const adjective = ADJECTIVES[randomInteger(ADJECTIVES.length)];
  const animal = ANIMALS[randomInteger(ANIMALS.length)];
  return `${adjective}-${animal}-${1000 + randomInteger(9000)}`;
}
