"""Says hello, and counts how often each letter is in what it said."""

from collections import Counter


def greeting(name: str) -> str:
    return f"Hello, {name}!"


def letters(text: str) -> Counter[str]:
    return Counter(letter for letter in text.lower() if letter.isalpha())


if __name__ == "__main__":
    said = greeting("workspace")
    print(said)
    for letter, count in letters(said).most_common(3):
        print(letter, "*" * count)
