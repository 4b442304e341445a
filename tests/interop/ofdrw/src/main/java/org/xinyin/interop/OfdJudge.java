package org.xinyin.interop;

import java.awt.image.BufferedImage;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.security.cert.CertificateFactory;
import javax.imageio.ImageIO;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.ofdrw.converter.ImageMaker;
import org.ofdrw.reader.OFDReader;
import org.ofdrw.sign.verify.OFDValidator;
import org.ofdrw.sign.verify.SignedDataValidateContainer;
import org.ofdrw.sign.verify.container.DigitalValidateContainer;
import org.ofdrw.sign.verify.container.GBT35275ValidateContainer;
import org.ofdrw.sign.verify.container.SESV1ValidateContainer;
import org.ofdrw.sign.verify.container.SESV4ValidateContainer;

/**
 * Judges a sealed OFD with ofdrw.
 *
 * <p>Usage: {@code OfdJudge FILE.ofd CONTAINER [PAGE.png]}, where CONTAINER is {@code v1}, {@code v4}, {@code 35275} or
 * the file of the certificate of a bare signature. Prints one JSON object: {@code pages}, {@code stamps},
 * {@code rendered} (with PAGE.png: the first page was drawn with more than one colour), {@code seal_valid}, and
 * {@code problem} with ofdrw's own words. Exit status 0 says only that it ran.
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
            stamps = reader.getStampAnnots().stream().mapToInt(seal -> seal.getStampAnnots().size()).sum();
            if (arguments.length > 2) {
                rendered = render(reader, Path.of(arguments[2]));
            }
        } catch (Exception failure) {
            problem = failure.toString();
        }
        try (OFDValidator validator = new OFDValidator(new OFDReader(file))) {
            validator.setValidator(container(arguments[1]));
            validator.exeValidate();
            valid = true;
        } catch (Exception failure) {
            problem = problem == null ? failure.toString() : problem;
        }
        System.out.printf(
                "{\"pages\": %d, \"stamps\": %d, \"rendered\": %b, \"seal_valid\": %b, \"problem\": %s}%n",
                pages, stamps, rendered, valid, Json.quote(problem));
        System.exit(0);
    }

    private static SignedDataValidateContainer container(String name) throws Exception {
        switch (name) {
            case "v1":
                return new SESV1ValidateContainer();
            case "v4":
                return new SESV4ValidateContainer();
            case "35275":
                return new GBT35275ValidateContainer();
            default:
                Security.addProvider(new BouncyCastleProvider());
                try (InputStream certificate = Files.newInputStream(Path.of(name))) {
                    return new DigitalValidateContainer(
                            CertificateFactory.getInstance("X.509", "BC").generateCertificate(certificate));
                }
        }
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
}
