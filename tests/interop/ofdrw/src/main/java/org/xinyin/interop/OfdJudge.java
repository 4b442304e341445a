package org.xinyin.interop;

import java.awt.image.BufferedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.ofdrw.converter.ImageMaker;
import org.ofdrw.reader.OFDReader;
import org.ofdrw.sign.verify.OFDValidator;
import org.ofdrw.sign.verify.container.SESV4ValidateContainer;

/**
 * Judges a sealed OFD with ofdrw.
 *
 * <p>Usage: {@code OfdJudge FILE.ofd [PAGE.png]}. Prints one JSON object: {@code pages}, {@code stamps},
 * {@code rendered} (with a second argument: the first page was drawn with more than one colour), {@code seal_valid},
 * and {@code problem} with ofdrw's own words. Exit status 0 says only that it ran.
 */
public final class OfdJudge {
    private static final double PIXELS_PER_MILLIMETRE = 8;

    private OfdJudge() {}

    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[0]);
        int pages = 0;
        int stamps = 0;
        boolean rendered = false;
        boolean valid = false;
        String problem = null;
        try (OFDReader reader = new OFDReader(file)) {
            pages = reader.getNumberOfPages();
            stamps = reader.getStampAnnots().size();
            if (arguments.length > 1) {
                rendered = render(reader, Path.of(arguments[1]));
            }
        } catch (Exception failure) {
            problem = failure.toString();
        }
        try (OFDValidator validator = new OFDValidator(new OFDReader(file))) {
            validator.setValidator(new SESV4ValidateContainer());
            validator.exeValidate();
            valid = true;
        } catch (Exception failure) {
            problem = problem == null ? failure.toString() : problem;
        }
        System.out.printf(
                "{\"pages\": %d, \"stamps\": %d, \"rendered\": %b, \"seal_valid\": %b, \"problem\": %s}%n",
                pages, stamps, rendered, valid, problem == null ? "null" : quote(problem));
        System.exit(0);
    }

    private static boolean render(OFDReader reader, Path png) throws Exception {
        BufferedImage page = new ImageMaker(reader, PIXELS_PER_MILLIMETRE).makePage(0);
        Files.createDirectories(png.toAbsolutePath().getParent());
        ImageIO.write(page, "PNG", png.toFile());
        int first = page.getRGB(0, 0);
        for (int y = 0; y < page.getHeight(); y++) {
            for (int x = 0; x < page.getWidth(); x++) {
                if (page.getRGB(x, y) != first) {
                    return true;
                }
            }
        }
        return false;
    }

    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char character : text.toCharArray()) {
            if (character == '"' || character == '\\') {
                quoted.append('\\').append(character);
            } else if (character < ' ' || character > '~') {
                quoted.append(String.format("\\u%04x", (int) character));
            } else {
                quoted.append(character);
            }
        }
        return quoted.append('"').toString();
    }
}
